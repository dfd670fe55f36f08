"""What an agency's service cannot send, and why: as lines and as documents."""

from dataclasses import replace
from typing import Any

from deploy.app.desk import Case, Desk
from deploy.app.explain import hindrances
from deploy.app.status import own_service
from referral_bus.broker.send_failures import SEND_FAILURES, said_of
from referral_bus.errors import BusError
from referral_bus.ledger import failing
from referral_bus.ledger.failing import Failing
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.stages import seen_with


def cannot_send(desk: Desk) -> list[Failing]:
    """Nothing where the ledger itself cannot be read: that is told in other words."""
    try:
        with desk.ledger.read() as tx:
            return failing.everything(tx)
    except BusError:
        return []


def with_own_service(desk: Desk, case: Case) -> Case:
    """The same case, by what our own service can know now."""
    service = own_service(desk.home)
    return replace(case, standing=seen_with(case.standing, case.referral.side, service), own_service=service)


def hindrances_of(desk: Desk, left: Tombstone) -> list[str]:
    """What keeps words about an erasure from coming and going."""
    with desk.ledger.read() as tx:
        failure = failing.of_referral(tx, left.key)
    return list(hindrances(own_service(desk.home), failure, left.peer))


def failing_line(each: Failing) -> str:
    counts = ((each.events, "event"), (each.receipts, "receipt"))
    what = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    said, advice = said_of(each.failure, each.addressee), SEND_FAILURES[each.failure].advice
    return f"cannot send {' and '.join(what)} to {each.addressee}: {said}; the operators of the bus: {advice}"


def failing_document(each: Failing) -> dict[str, Any]:
    return {"to": each.addressee, "failure": each.failure, "events": each.events, "receipts": each.receipts}
