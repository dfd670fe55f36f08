"""What cannot be true is refused where it is written, while the person who knows better is still there.

Only the sender's intake asks this. A recipient never refuses an event for it: that would be a judgement by its own
clock, and by a register and a ledger that the sender does not have.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register
from referral_bus.ledger import referrals, tombstones
from referral_bus.ledger.store import Tx
from schemas.lifecycle import APPOINTED
from schemas.personal import StatusBody
from schemas.referral_request import ReferralRequest

CLOCKS_DIFFER = timedelta(minutes=10)  # what is attested now may carry the time of a clock that is ahead of ours
EARLIEST_ZONE = timedelta(hours=14)  # where the calendar is furthest ahead of UTC

_DEADLINES = ("acknowledge_by", "respond_by")


def implausible_request(tx: Tx, request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    """Everything in a new referral that cannot be true now. `at` stands before each path."""
    for mistakes in implausible_values(request, now, at):
        yield from mistakes
    replaces = request.body.request.replaces
    if replaces is not None and not _known_here(tx, replaces):
        path = f"{at}body.request.replaces"
        yield Refused(Reason.REFERRAL_UNKNOWN, "no referral here has this id; give the whole id of one", path)


def implausible_values(request: ReferralRequest, now: datetime, at: str) -> Iterator[Iterator[Refused]]:
    """What cannot be true by the clock alone, each rule by itself: where a field is malformed the others are judged."""
    yield _born(request, now, at)
    yield _attested(request, now, at)
    for name in _DEADLINES:
        yield _deadline(request, name, now, at)


def _born(request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    born = request.body.person.date_of_birth
    if born is not None and born > (now + EARLIEST_ZONE).date():
        yield _untrue(f"{at}body.person.date_of_birth", "this day is to come; a date of birth is not after today")


def _attested(request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    if request.body.consent.attested_at > now + CLOCKS_DIFFER:
        yield _untrue(f"{at}body.consent.attested_at", "this time is to come; consent is attested once it was given")


def _deadline(request: ReferralRequest, name: str, now: datetime, at: str) -> Iterator[Refused]:
    deadline: datetime | None = getattr(request, name)
    if deadline is not None and deadline <= now:
        yield _untrue(at + name, "this time has passed; give a later one, or none for that of the priority")


def unknown_agency(path: str) -> Refused:
    advice = "no agency of the register has this code; see `referral-bus agencies`"
    return Refused(Reason.AGENCY_UNKNOWN, advice, path)


def implausible_word(body: StatusBody, register: Register, now: datetime) -> Iterator[Refused]:
    """The same of a later word."""
    if body.business_status == APPOINTED:
        if body.appointment is None:
            yield Refused(Reason.FIELD_MISSING, "an appointment that is scheduled needs its time", "appointment.time")
        elif body.appointment.time <= now:
            yield _untrue("appointment.time", "this time has passed; an appointment is scheduled for a later one")
    if body.suggested_agency is not None and register.agency(body.suggested_agency) is None:
        yield unknown_agency("suggested_agency")


def _untrue(path: str, advice: str) -> Refused:
    return Refused(Reason.VALUE_REFUSED, advice, path)


def _known_here(tx: Tx, referral_id: UUID) -> bool:
    """On either side, from any sender, also one that has been erased."""
    name = str(referral_id)
    return bool(referrals.find(tx, name) or tombstones.find(tx, name))
