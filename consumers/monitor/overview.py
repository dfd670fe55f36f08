"""The operators' overview as data: what needs a person now, the agencies, the flows, and the referrals that wait
longest. Only reads the database. Holds no id of a person, and no text that an agency could have chosen freely."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from consumers.monitor import needs, queries
from consumers.monitor.agency_states import AgencyState, agency_states
from consumers.monitor.needs import Need
from consumers.monitor.progress import complete_at, gap_ended_at, knows_since, read_counters, read_positions
from consumers.monitor.queries import FlowRow, LagRow, Waiting
from consumers.monitor.silence import ReadSpan, silent_after
from consumers.monitor.unseen_overdue import overdue_unseen
from referral_bus.federation.register import Register

MOST_WAITING = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview at `now`. `complete_at`: everything that was in Kafka by then was read; None before that was so for
    the first time. `knows_since`: what happened before then may be missing. `kafka_answers`: as the running monitor
    says."""

    now: datetime
    kafka_answers: bool
    complete_at: datetime | None
    knows_since: datetime
    needs: tuple[Need, ...]
    agencies: tuple[AgencyState, ...]
    flows: tuple[FlowRow, ...]
    waiting: tuple[Waiting, ...]
    lags: tuple[LagRow, ...]

    @property
    def stale(self) -> bool:
        return self.complete_at is None or self.now - self.complete_at > needs.STALE


def overview(
    tx: Connection, register: Register, now: datetime, heartbeat_every: timedelta, kafka_answers: bool = True
) -> Overview:
    """Reads the overview at `now`. `heartbeat_every`: the time between two announcements of an agency. `kafka_answers`:
    as the running monitor says."""
    counts = queries.open_counts(tx, now)
    complete = complete_at(tx)
    reading = ReadSpan(gap_ended_at(tx), complete)
    agencies = tuple(agency_states(register, queries.announced(tx), counts, reading, silent_after(heartbeat_every)))
    inboxes = _inboxes(register)
    reached = [one for (topic, _), one in read_positions(tx).items() if topic in inboxes]
    lags = tuple(queries.lag_rows(tx))
    found = [
        *needs.behind(complete, now, kafka_answers),
        *needs.alarms(read_counters(tx), register, now),
        *needs.unseen(overdue_unseen(tx, now), register),
        *needs.overdue(counts, register),
        *needs.silent(agencies),
        *needs.stalled(lags, agencies, complete or now),
        *needs.lost(agencies),
        *needs.dead_letters(queries.dead_letters(tx), register),
        *needs.clocks(agencies),
    ]
    return Overview(
        now=now,
        kafka_answers=kafka_answers,
        complete_at=complete,
        knows_since=knows_since(reached, queries.created_at(tx)),
        needs=tuple(found),
        agencies=agencies,
        flows=tuple(queries.flow_table(tx, now)),
        waiting=tuple(queries.waiting(tx, MOST_WAITING)),
        lags=lags,
    )


def _inboxes(register: Register) -> frozenset[str | None]:
    """The inboxes, whose beginnings tell since when the monitor knows everything. Announcement topics do not: of those
    only the newest record counts."""
    return frozenset(register.inbox(agency.code) for agency in register.content.agencies)
