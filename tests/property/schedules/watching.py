"""The operators' flow monitor beside the three agencies: it has to show of each referral what its two sides know.

In half of the schedules it reads along after each step; in the others it reads at the end only, as after its database
was lost, so that it gets everything topic by topic.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from consumers.monitor import tables
from consumers.monitor.monitor_reader import MonitorReader
from consumers.monitor.stages import due_column, flows_with_agencies, stage_column
from consumers.monitor.store import open_store
from consumers.monitor.unseen_overdue import overdue_unseen
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import ReaderBroken
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import referrals
from referral_bus.ledger import tables as ledger_tables
from referral_bus.ledger.peers import all_peers
from referral_bus.logs import make_log
from referral_bus.stage_queries import stage_of
from referral_bus.stages import Stage
from schemas.deadlines import DEFAULT_LIMITS
from schemas.events import ReferralKey
from tests.kit.bench import LogLines, Station
from tests.kit.people import RECIPIENT, SENDER, THIRD

KEEP = timedelta(days=36500)
CODES = (SENDER, RECIPIENT, THIRD)


@dataclass(frozen=True, slots=True)
class Seen:
    """Where one of them says that a referral is. `due` leaves out what was asked besides: that is sealed."""

    stage: Stage
    due: datetime | None


class Observer:
    """The monitor."""

    def __init__(self, folder: Path, broker: MemoryBroker, register: Register, clock: Clock) -> None:
        self.register = register
        self.log_lines = LogLines()
        self._store = open_store(folder / "monitor.sqlite", register.federation, clock())
        self._clock = clock
        log = make_log(self.log_lines)
        self.reading = MonitorReader(self._store, broker, lambda: self.register, clock, KEEP, log)
        self._assign()

    def _assign(self) -> None:
        self._reader = self.reading.reader()
        self.reading.assign(self._reader)

    def read(self) -> None:
        """Everything that is there."""
        try:
            while batch := self._reader.poll(0, 500):
                self.reading.take(batch)
        except ReaderBroken:
            self._reader.close()
            self._assign()
            self.read()

    def seen(self) -> Mapping[tuple[ReferralKey, str], Seen]:
        """Every referral under an agreement, by its recipient."""
        columns = tables.flows.c
        query = sa.select(
            columns.sender, columns.referral_id, columns.recipient, columns.open, stage_column, due_column
        )
        query = query.select_from(flows_with_agencies).where(columns.agreed)
        with self._store.read() as tx:
            rows = tx.execute(query).all()
        return {
            (ReferralKey(sender, referral_id), recipient): Seen(Stage(stage), due)
            if is_open
            else Seen(Stage.ENDED, None)
            for sender, referral_id, recipient, is_open, stage, due in rows
        }

    def announced_more(self) -> Mapping[str, int]:
        """Overdue referrals that agencies announce and that are not counted here. One to which an agreement has ended
        in the newest register may have taken more, by an older one: that is another alarm."""
        unagreed = sa.select(tables.flows.c.recipient).where(sa.not_(tables.flows.c.agreed)).distinct()
        with self._store.read() as tx:
            told = set(tx.execute(unagreed).scalars())
            found = overdue_unseen(tx, self._clock())
        return {code: number for code, number in found.items() if number and code not in told}

    def close(self) -> None:
        self._reader.close()
        self._store.close()


def shown(station: Station) -> Mapping[ReferralKey, Seen]:
    """What an agency is shown of each of its referrals."""
    with station.ledger.read() as tx:
        rows = tx.connection.execute(sa.select(ledger_tables.referrals)).all()
        peers = all_peers(tx)
        found = {}
        for row in rows:
            plain = replace(referrals.from_row(row), cancel_requested_at=None, question_asked_at=None)
            here = stage_of(tx, plain, peers, DEFAULT_LIMITS, CODES)
            over = here.stage in (Stage.ENDED, Stage.UNDELIVERED)
            found[plain.key] = Seen(Stage.ENDED, None) if over else Seen(here.stage, here.due)
    return found


def asked(station: Station) -> bool:
    """Whether a question or a request to cancel waits here: an observer cannot see those."""
    columns = ledger_tables.referrals.c
    either = sa.or_(columns.cancel_requested_at.is_not(None), columns.question_asked_at.is_not(None))
    with station.ledger.read() as tx:
        return bool(tx.connection.execute(sa.select(sa.exists().where(either))).scalar_one())


def differences(observer: Observer, stations: Mapping[str, Station]) -> Iterator[str]:
    """Every referral that both sides have, and where they or the monitor differ."""
    observed = observer.seen()
    views = {code: shown(station) for code, station in stations.items()}
    for code, view in views.items():
        for key, at_recipient in view.items():
            if key.sender == code:
                continue
            at_sender = views[key.sender].get(key)
            if at_sender is not None and at_sender != at_recipient:
                yield f"the sender shows {_told(at_sender)}, the recipient {_told(at_recipient)}"
            there = observed.get((key, code))
            if there is not None and there != at_recipient:
                yield f"the monitor shows {_told(there)}, the recipient {_told(at_recipient)}"


def _told(seen: Seen) -> str:
    return f"{seen.stage} until {seen.due}"
