"""Which situations need a person now, and which contact to call. Pure. A need holds no id of a person, and no text that
an agency could have chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from consumers.monitor.agency_states import AgencyState, contact_of
from consumers.monitor.counters import CounterName
from consumers.monitor.forged_or_replayed import expected_writers
from consumers.monitor.metrics import UNKNOWN
from consumers.monitor.progress import Counted
from consumers.monitor.queries import LagRow, OpenCount
from consumers.monitor.silence import CLOCK_OFF, PresenceCode
from referral_bus.broker.send_failures import advice_of
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import Contact

RECENT = timedelta(days=1)
STALLED = timedelta(minutes=15)
STALE = timedelta(minutes=15)


class NeedKind(StrEnum):
    """Why a person has to act, the worst first."""

    MONITOR_BEHIND = "monitor behind"
    FORGED = "forged records"
    REPLAYED = "copied records"
    UNAGREED = "no agreement"
    UNSEEN = "more overdue than seen"
    OVERDUE = "overdue"
    SILENT = "silent"
    NEVER_SEEN = "never seen"
    STALLED = "not reading"
    SLOW = "reading slowly"
    LOST = "not in the register"
    DEAD_LETTERS = "dead letters"
    CLOCK = "clock off"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing for a person to do. `agency`: the agency to call, by `contact` from the register. Where the operators
    of the bus must act themselves there is no contact, and `operators_do` says what to do. `number`: how many records
    or referrals it is about. `since`: when the newest such record came, or when the agency was last heard or last read
    on."""

    kind: NeedKind
    agency: str | None
    what: str
    number: int
    since: datetime | None
    contact: Contact | None
    operators_do: str | None = None


def behind(complete: datetime | None, now: datetime, kafka_answers: bool) -> Iterator[Need]:
    """Whether what the monitor shows is old, or Kafka does not answer it. `complete`: up to when everything was
    read."""
    if not kafka_answers:
        what = "Kafka does not answer: what is shown here is as it was when it last did"
        yield Need(NeedKind.MONITOR_BEHIND, None, what, 1, complete, None)
    elif complete is None or now - complete > STALE:
        yield Need(NeedKind.MONITOR_BEHIND, None, "what is shown here is old", 1, complete, None)


def alarms(counters: Mapping[CounterName, Counted], register: Register, now: datetime) -> Iterator[Need]:
    """Records forged, copied, or sent without an agreement within the last day. The agency to call is the one whose key
    signed them, or, without a valid signature, the one in whose topic they are; for a copied record always the latter,
    since its writer did not put it there."""
    for (metric, labels), counted in sorted(counters.items()):
        if now - counted.last_at > RECENT or metric not in _ALARMS:
            continue
        kind, (source, target, event_type) = _ALARMS[metric], labels
        whom = target if kind is NeedKind.REPLAYED or source == UNKNOWN else source
        what = {
            NeedKind.UNAGREED: f"{source} to {target}, {event_type}",
            NeedKind.FORGED: f"in {_topics_of(target)}, {_signed_by(source)}",
            NeedKind.REPLAYED: f"{event_type} of {source} in {_topics_of(target)}",
        }[kind]
        if kind is NeedKind.REPLAYED or source == UNKNOWN:
            what += f"; can have written it: {_possible_writers(register, target)}"
        agency = None if whom == UNKNOWN else whom
        yield Need(kind, agency, what, int(counted.value), counted.last_at, contact_of(register, whom))


_ALARMS = {
    "forged_events_total": NeedKind.FORGED,
    "replayed_events_total": NeedKind.REPLAYED,
    "unagreed_flow_events_total": NeedKind.UNAGREED,
}


def _topics_of(target: str) -> str:
    return "the common topics" if target == UNKNOWN else f"the topics of {target}"


def _signed_by(source: str) -> str:
    return "without a valid signature" if source == UNKNOWN else f"signed with the key of {source}"


def _possible_writers(register: Register, target: str) -> str:
    """The agencies that the register has write to the topics of `target`, and the host of Kafka. Kafka's own access
    lists may let others write there too."""
    members = expected_writers(register, target) or ("every agency",)
    return ", ".join((*members, "the host of Kafka"))


def overdue(counts: list[OpenCount], register: Register) -> Iterator[Need]:
    """Agencies to which referrals are overdue, one need for each stage."""
    for count in counts:
        if count.overdue:
            contact = contact_of(register, count.recipient)
            yield Need(NeedKind.OVERDUE, count.recipient, count.stage.value, count.overdue, None, contact)


def unseen(found: Mapping[str, int], register: Register) -> Iterator[Need]:
    """Agencies that announce more overdue referrals than the monitor counts; see `unseen_overdue`."""
    for code, number in sorted(found.items()):
        if number:
            what = "it announces so many more overdue ones than are counted here: ask which; rely on its answer"
            yield Need(NeedKind.UNSEEN, code, what, number, None, contact_of(register, code))


def silent(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    """Agencies that are silent, then those that were never heard."""
    for state in agencies:
        if state.connection is not None and state.presence is PresenceCode.SILENT:
            yield Need(NeedKind.SILENT, state.code, state.connection, 1, state.heard_at, state.contact)
    for state in agencies:
        if state.connection is not None and state.presence is PresenceCode.NEVER_SEEN:
            yield Need(NeedKind.NEVER_SEEN, state.code, state.connection, 1, None, state.contact)


def stalled(lags: tuple[LagRow, ...], agencies: tuple[AgencyState, ...], read_until: datetime) -> Iterator[Need]:
    """Services that send heartbeats, and yet read nothing of what waits for them, or too slowly. A service without
    heartbeats is left to `silent`."""
    there = {state.code: state for state in agencies if state.presence is PresenceCode.THERE}
    for lag in lags:
        stalled = lag.records > 0 and read_until - lag.moved_at >= STALLED
        slow = lag.seconds is not None and lag.seconds >= STALLED.total_seconds()
        if lag.agency in there and (stalled or slow):
            kind, contact = NeedKind.STALLED if stalled else NeedKind.SLOW, there[lag.agency].contact
            yield Need(kind, lag.agency, lag.topic, lag.records, lag.moved_at, contact)


def lost(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    for state in agencies:
        if state.connection is None and state.open:
            yield Need(NeedKind.LOST, state.code, "has open referrals", state.open, None, None)


def dead_letters(found: Mapping[tuple[str, ...], int], register: Register) -> Iterator[Need]:
    """Agencies at which dead letters wait, one need for each reason."""
    for (agency, reason), number in sorted(found.items()):
        advice = advice_of(reason)
        contact = None if advice else contact_of(register, agency)
        yield Need(NeedKind.DEAD_LETTERS, agency, reason, number, None, contact, advice)


def clocks(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    """Agencies whose newest announcement carries another time than our clock showed when it came: their clock is off,
    or it came late."""
    for state in agencies:
        said = state.announced
        if said is not None and abs(said.heard_at - said.issued_at) > CLOCK_OFF:
            minutes = round((said.issued_at - said.heard_at).total_seconds() / 60)
            yield Need(NeedKind.CLOCK, state.code, f"{minutes:+d} minutes", 1, said.heard_at, state.contact)
