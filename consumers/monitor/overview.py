"""What operators see at a glance, as data: what needs a person now, agencies, flows, what waits longest. Pure, but for
reading the database. No id of a person, and no text that an agency could have chosen freely."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from consumers.monitor import looking
from consumers.monitor.looking import Announced, FlowRow, LagRow, OpenCount, Waiting
from consumers.monitor.progress import Counted, complete_at, knows_since, read_counters, read_positions
from consumers.monitor.silence import CLOCK_OFF, Presence, presence, silent_after
from consumers.monitor.tally import CounterName
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import Contact

RECENT = timedelta(days=1)
STALLED = timedelta(minutes=15)
STALE = timedelta(minutes=15)
MOST_WAITING = 20


class NeedKind(StrEnum):
    """Why a person has to act, the worst first."""

    MONITOR_BEHIND = "monitor behind"
    FORGED = "forged records"
    UNAGREED = "no agreement"
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
    """One thing for a person. `agency` is whom to call, with `contact` from the register."""

    kind: NeedKind
    agency: str | None
    what: str
    number: int
    since: datetime | None
    contact: Contact | None


@dataclass(frozen=True, slots=True)
class AgencyState:
    """One agency. `announced` is what it says of itself; `open` and `overdue` are what we know."""

    code: str
    connection: str | None  # None: not in the register
    presence: Presence
    heard_at: datetime | None
    announced: Announced | None
    open: int
    overdue: int
    contact: Contact | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`complete_at`: everything up to then was read. `knows_since`: what happened before then may be missing."""

    now: datetime
    complete_at: datetime | None
    knows_since: datetime
    needs: tuple[Need, ...]
    agencies: tuple[AgencyState, ...]
    flows: tuple[FlowRow, ...]
    waiting: tuple[Waiting, ...]
    lags: tuple[LagRow, ...]

    @property
    def stale(self) -> bool:
        return self.complete_at is None or self.now - self.complete_at > STALE


def overview(tx: Connection, register: Register, now: datetime, heartbeat_every: timedelta) -> Overview:
    counts = looking.open_counts(tx, now)
    agencies = tuple(_agencies(register, looking.announced(tx), counts, now, silent_after(heartbeat_every)))
    complete = complete_at(tx)
    inboxes = _inboxes(register)
    reached = [one for (topic, _), one in read_positions(tx).items() if topic in inboxes]
    lags = tuple(looking.lag_rows(tx))
    needs = [
        *_behind(complete, now),
        *_alarms(read_counters(tx), register, now),
        *_overdue(counts, register),
        *_silent(agencies),
        *_stalled(lags, agencies, now),
        *_lost(agencies),
        *_dead_letters(looking.dead_letters(tx), register),
        *_clocks(agencies),
    ]
    return Overview(
        now=now,
        complete_at=complete,
        knows_since=knows_since(reached, looking.created_at(tx)),
        needs=tuple(needs),
        agencies=agencies,
        flows=tuple(looking.flow_table(tx, now)),
        waiting=tuple(looking.waiting(tx, MOST_WAITING)),
        lags=lags,
    )


def _inboxes(register: Register) -> frozenset[str | None]:
    """Announcements are compacted: what is gone of them was replaced."""
    return frozenset(register.inbox(agency.code) for agency in register.content.agencies)


def contact_of(register: Register, code: str) -> Contact | None:
    """Whom to call: the first contact that the register has."""
    agency = register.agency(code)
    return agency.contacts[0] if agency is not None and agency.contacts else None


def _agencies(
    register: Register,
    announced: Mapping[str, Announced],
    counts: list[OpenCount],
    now: datetime,
    limits: Mapping[str, timedelta],
) -> Iterator[AgencyState]:
    """Those of the register that have an inbox, and those it has lost that still have open referrals."""
    known = [agency.code for agency in register.content.agencies if register.has_inbox(agency.code)]
    for code in [*known, *sorted({count.recipient for count in counts} - set(known))]:
        agency, said = register.agency(code), announced.get(code)
        heard_at = said.heard_at if said else None
        mine = [count for count in counts if count.recipient == code]
        yield AgencyState(
            code=code,
            connection=agency.connection if agency else None,
            presence=presence(agency, heard_at, now, limits) if agency else Presence.SILENT,
            heard_at=heard_at,
            announced=said,
            open=sum(count.number for count in mine),
            overdue=sum(count.overdue for count in mine),
            contact=contact_of(register, code),
        )


def _behind(complete: datetime | None, now: datetime) -> Iterator[Need]:
    if complete is None or now - complete > STALE:
        yield Need(NeedKind.MONITOR_BEHIND, None, "what is shown here is old", 1, complete, None)


def _alarms(counters: Mapping[CounterName, Counted], register: Register, now: datetime) -> Iterator[Need]:
    """What was forged, or sent without an agreement, within the last day."""
    kinds = {"forged_events_total": NeedKind.FORGED, "unagreed_flow_events_total": NeedKind.UNAGREED}
    for (metric, labels), counted in sorted(counters.items()):
        if metric in kinds and now - counted.last_at <= RECENT:
            source, target, event_type = labels
            what = f"{source} to {target}" + (f", {event_type}" if metric == "unagreed_flow_events_total" else "")
            yield Need(kinds[metric], source, what, int(counted.value), counted.last_at, contact_of(register, source))


def _overdue(counts: list[OpenCount], register: Register) -> Iterator[Need]:
    for count in counts:
        if count.overdue:
            contact = contact_of(register, count.recipient)
            yield Need(NeedKind.OVERDUE, count.recipient, count.stage.value, count.overdue, None, contact)


def _silent(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    for state in agencies:
        if state.connection is not None and state.presence is Presence.SILENT:
            yield Need(NeedKind.SILENT, state.code, state.connection, 1, state.heard_at, state.contact)
    for state in agencies:
        if state.connection is not None and state.presence is Presence.NEVER_SEEN:
            yield Need(NeedKind.NEVER_SEEN, state.code, state.connection, 1, None, state.contact)


def _stalled(lags: tuple[LagRow, ...], agencies: tuple[AgencyState, ...], now: datetime) -> Iterator[Need]:
    """A service that lives, and yet reads nothing of what is there, or too little. One that is silent is named so."""
    there = {state.code: state for state in agencies if state.presence is Presence.THERE}
    for lag in lags:
        stalled = lag.records > 0 and now - lag.moved_at >= STALLED
        slow = lag.seconds is not None and lag.seconds >= STALLED.total_seconds()
        if lag.agency in there and (stalled or slow):
            kind, contact = NeedKind.STALLED if stalled else NeedKind.SLOW, there[lag.agency].contact
            yield Need(kind, lag.agency, lag.topic, lag.records, lag.moved_at, contact)


def _lost(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    for state in agencies:
        if state.connection is None and state.open:
            yield Need(NeedKind.LOST, state.code, "has open referrals", state.open, None, None)


def _dead_letters(found: Mapping[tuple[str, ...], int], register: Register) -> Iterator[Need]:
    for (agency, reason), number in sorted(found.items()):
        yield Need(NeedKind.DEAD_LETTERS, agency, reason, number, None, contact_of(register, agency))


def _clocks(agencies: tuple[AgencyState, ...]) -> Iterator[Need]:
    """An agency whose announcements say another time than ours when they come, or come late."""
    for state in agencies:
        said = state.announced
        if said is not None and abs(said.heard_at - said.issued_at) > CLOCK_OFF:
            minutes = round((said.issued_at - said.heard_at).total_seconds() / 60)
            yield Need(NeedKind.CLOCK, state.code, f"{minutes:+d} minutes", 1, said.heard_at, state.contact)
