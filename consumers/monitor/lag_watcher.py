"""A second thread beside the reader: measures how far each agency's service has read, notes up to when the monitor has
read everything, and deletes old rows."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from consumers.monitor import tables
from consumers.monitor.lag import GroupName, Lag, Look, lags, waiting_since_before
from consumers.monitor.monitor_reader import MonitorReader
from consumers.monitor.progress import GAP, Partition, Reached, read_positions, save_complete_at
from consumers.monitor.retention import forget
from consumers.monitor.store import Store
from referral_bus.broker.lag import LagSource
from referral_bus.broker.protocols import Position
from referral_bus.clock import Clock
from referral_bus.errors import Unreachable
from referral_bus.federation.register import Register
from referral_bus.logs import Log

FORGET_EVERY = timedelta(hours=1)
PAUSE_S = 0.5


class LagWatcher:
    """One thread calls `run`."""

    def __init__(
        self,
        store: Store,
        reading: MonitorReader,
        source: LagSource,
        register: Callable[[], Register],
        clock: Clock,
        keep: timedelta,
        log: Log,
    ) -> None:
        self._store = store
        self._reading = reading
        self._source = source
        self._register = register
        self._clock = clock
        self._keep = keep
        self._log = log
        self._before: Look | None = None
        self._aim: Look | None = None  # an earlier look whose records are still being read
        self._appended: Mapping[Position, datetime] = {}
        self._forgot_at: datetime | None = None
        self._gap = GAP

    def run(self, every_s: float, stop: threading.Event, progress: Callable[[], None]) -> None:
        """Calls `look` every `every_s` seconds until `stop` is set."""
        waited_s = every_s
        self._gap = max(GAP, 3 * timedelta(seconds=every_s))
        while not stop.is_set():
            progress()
            if waited_s >= every_s:
                waited_s = 0.0
                try:
                    self.look()
                except Unreachable as error:
                    self._log.warning("waiting", code=error.reason)
            stop.wait(PAUSE_S)
            waited_s += PAUSE_S

    def look(self) -> None:
        """Looks once, and stores what it found. Raises `Unreachable` where Kafka or the database does not answer."""
        groups = groups_of(self._register())
        look = self._ask(list(groups))
        if not look.topics:
            return
        found = self._lags(look, groups)
        self._before = look
        with self._store.write() as tx:
            self._note_complete(tx, look)
            if found is not None:
                save_lags(tx, found, look.at)
            if self._forgot_at is None or look.at - self._forgot_at >= FORGET_EVERY:
                forget(tx, look.at - self._keep)
                self._forgot_at = look.at

    def _ask(self, groups: Sequence[GroupName]) -> Look:
        at, topics = self._clock(), dict(self._reading.topics)
        committed = self._committed(groups)
        extents = self._source.extents(
            [(name, number) for name, topic in topics.items() for number in range(topic.partitions)]
        )
        return Look(at, topics, committed, extents)

    def _committed(self, groups: Sequence[GroupName]) -> Mapping[GroupName, Mapping[Partition, int]] | None:
        """Committed offsets by group; None where Kafka does not tell them. The monitor's own progress does not need
        them."""
        try:
            return self._source.committed(groups)
        except Unreachable as error:
            self._log.warning("lag_unknown", code=error.reason)
            return None

    def _lags(self, look: Look, groups: Mapping[GroupName, tuple[str, str]]) -> list[Lag] | None:
        if look.committed is None:
            return None
        inboxes = {group: inbox for group, (_, inbox) in groups.items()}
        waiting = waiting_since_before(look, self._before, inboxes)
        known = {position: self._appended[position] for position in waiting if position in self._appended}
        self._appended = {**known, **self._ages([position for position in waiting if position not in known])}
        return lags(look, self._before, self._appended, groups)

    def _ages(self, positions: Sequence[Position]) -> Mapping[Position, datetime]:
        try:
            return self._source.appended_at(positions)
        except Unreachable as error:
            self._log.warning("lag_age_unknown", code=error.reason)
            return {}

    def _note_complete(self, tx: Connection, look: Look) -> None:
        """Stores the time of a look whose records have all been read, by our own clock. While records keep coming the
        reader may never reach the newest look, so an older one is remembered until it is reached."""
        reached = read_positions(tx)
        aims = [look] if self._aim is None or self._aim.topics != look.topics else [look, self._aim]
        done = next((aim for aim in aims if has_reached(aim, reached)), None)
        self._aim = None if done is look else look if done is not None else aims[-1]
        if done is not None:
            save_complete_at(tx, done.at, self._gap)
            self._reading.complete_at = done.at


def has_reached(look: Look, reached: Mapping[Partition, Reached]) -> bool:
    """Whether everything that was there at a look has been read."""
    for place, extent in look.extents.items():
        position = reached[place].position if place in reached else None
        if position is not None and position.topic_id != look.topics[place[0]].topic_id:
            position = None  # of a topic that is no more
        if extent.begin < extent.end and (position is None or position.offset < extent.end):
            return False
    return True


def groups_of(register: Register) -> Mapping[GroupName, tuple[str, str]]:
    """By consumer group: the code and the inbox of its agency, for every agency that has an inbox."""
    codes = [agency.code for agency in register.content.agencies]
    return {f"referral-bus.{code}": (code, inbox) for code in codes if (inbox := register.inbox(code)) is not None}


_NEW = insert(tables.lags)
_HELD = tables.lags.c
_MOVED = sa.or_(_NEW.excluded.records == 0, _NEW.excluded.committed != _HELD.committed)
_REPLACE = _NEW.on_conflict_do_update(
    index_elements=["group", "topic"],
    set_={name: _NEW.excluded[name] for name in ("agency", "records", "seconds", "committed")}
    | {"moved_at": sa.case((_MOVED, _NEW.excluded.moved_at), else_=_HELD.moved_at)},
)


def save_lags(tx: Connection, found: Sequence[Lag], at: datetime) -> None:
    """Replaces the lags of the last look. `moved_at` changes only where a service has read on, or has nothing to
    read."""
    names = [f"{lag.group}\n{lag.topic}" for lag in found]
    gone = (_HELD.group + "\n" + _HELD.topic).not_in(names)
    tx.execute(sa.delete(tables.lags).where(gone))
    rows = [
        {
            "group": lag.group,
            "topic": lag.topic,
            "agency": lag.agency,
            "records": lag.records,
            "seconds": lag.seconds,
            "committed": lag.committed,
            "moved_at": at,
        }
        for lag in found
    ]
    if rows:
        tx.execute(_REPLACE, rows)
