"""Refuses values that cannot be true where they are entered, while the person who can correct them is still there.

Only the sender's intake applies these rules. A recipient never refuses an event by them: it would judge by its own
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

CLOCKS_DIFFER = timedelta(minutes=10)  # how far ahead of ours the clock may be that stamped the attestation
EARLIEST_ZONE = timedelta(hours=14)  # the largest offset from UTC of any time zone

_DEADLINES = ("acknowledge_by", "respond_by")


def implausible_request(tx: Tx, request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    """One `Refused` for each value of a new referral that cannot be true at `now`. `at` is put before each path."""
    for mistakes in implausible_values(request, now, at):
        yield from mistakes
    replaces = request.body.request.replaces
    if replaces is not None and not _known_here(tx, replaces):
        path = f"{at}body.request.replaces"
        yield Refused(Reason.REFERRAL_UNKNOWN, "no referral here has this id; give the whole id of one", path)


def implausible_values(request: ReferralRequest, now: datetime, at: str) -> Iterator[Iterator[Refused]]:
    """The rules that need only the clock, an iterator for each. So where one field is malformed, and reading it fails,
    the caller can still apply the rules of the others."""
    yield _born(request, now, at)
    yield _attested(request, now, at)
    for name in _DEADLINES:
        yield _deadline(request, name, now, at)


def _born(request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    born = request.body.person.date_of_birth
    if born is not None and born > (now + EARLIEST_ZONE).date():
        yield _untrue(f"{at}body.person.date_of_birth", "this day is in the future; a date of birth is not after today")


def _attested(request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    if request.body.consent.attested_at > now + CLOCKS_DIFFER:
        yield _untrue(f"{at}body.consent.attested_at", "this time is in the future; attest consent once it is given")


def _deadline(request: ReferralRequest, name: str, now: datetime, at: str) -> Iterator[Refused]:
    deadline: datetime | None = getattr(request, name)
    if deadline is not None and deadline <= now:
        yield _untrue(at + name, "this time has passed; give a later one, or none for that of the priority")


def unknown_agency(path: str) -> Refused:
    advice = "no agency of the register has this code; see `referral-bus agencies`"
    return Refused(Reason.AGENCY_UNKNOWN, advice, path)


def implausible_word(body: StatusBody, register: Register, now: datetime) -> Iterator[Refused]:
    """One `Refused` for each value of a later word about a referral that cannot be true: its appointment, and the
    agency that it suggests."""
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
    """Whether the ledger holds a referral of this id: sent or received, open, ended or erased."""
    name = str(referral_id)
    return bool(referrals.find(tx, name) or tombstones.find(tx, name))
