"""Shows what an agency's service cannot send, and why, as lines and as JSON documents."""

from dataclasses import replace
from typing import Any

from deploy.app.agency_client import AgencyClient, Case
from deploy.app.service.service_status import own_service
from deploy.app.views.why import hindrances
from referral_bus.broker.send_failures import SEND_FAILURES, said_of
from referral_bus.errors import BusError
from referral_bus.ledger import failing_sends
from referral_bus.ledger.failing_sends import Failing
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.stages import seen_with


def cannot_send(client: AgencyClient) -> list[Failing]:
    """What cannot be sent now; nothing where the ledger cannot be read, which the command reports elsewhere."""
    try:
        with client.ledger.read() as tx:
            return failing_sends.everything(tx)
    except BusError:
        return []


def with_own_service(client: AgencyClient, case: Case) -> Case:
    """The case, with its standing corrected for an own service that does not run or does not reach Kafka."""
    service = own_service(client.home)
    return replace(case, standing=seen_with(case.standing, case.referral.side, service), own_service=service)


def hindrances_of(client: AgencyClient, left: Tombstone) -> list[str]:
    """What keeps events about an erasure from leaving or coming in, as phrases."""
    with client.ledger.read() as tx:
        failure = failing_sends.of_referral(tx, left.key)
    return list(hindrances(own_service(client.home), failure, left.peer))


def failing_line(each: Failing) -> str:
    counts = ((each.events, "event"), (each.receipts, "receipt"))
    what = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    said, advice = said_of(each.failure, each.addressee), SEND_FAILURES[each.failure].advice
    return f"cannot send {' and '.join(what)} to {each.addressee}: {said}; the operators of the bus: {advice}"


def failing_document(each: Failing) -> dict[str, Any]:
    return {"to": each.addressee, "failure": each.failure, "events": each.events, "receipts": each.receipts}
