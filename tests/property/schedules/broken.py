"""Federations in which one rule does not hold, to show that the schedules find it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from typing_extensions import override

from referral_bus.ledger import tables
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.rollback_guard import HighWater, RollbackGuard
from tests.property.schedules.crashing import CrashingBench, CrashingLedger, CrashingRollbackGuard


class NoMark(CrashingBench):
    """A restored ledger takes itself for the newest, and an incarnation that was used for a new one."""

    @override
    def make_rollback_guard(self, code: str) -> RollbackGuard:
        return _Unmarked(self.folder / f"{code}-outside", self.fuses[code])


class _Unmarked(CrashingRollbackGuard):
    @override
    def _raise(self, mark: HighWater) -> None:
        """Nothing."""


class NoJournal(CrashingBench):
    """A backup brings back what was erased after it."""

    @override
    def make_rollback_guard(self, code: str) -> RollbackGuard:
        return _Unwritten(self.folder / f"{code}-outside", self.fuses[code])


class _Unwritten(CrashingRollbackGuard):
    @override
    def _add(self, ledger: Ledger, newest: int) -> None:
        """Nothing."""


class HostBelieved(CrashingBench):
    """What the host has acknowledged counts as stored."""

    @override
    def open_ledger(self, path: Path, code: str) -> Ledger:
        return _Believing(super().open_ledger(path, code).engine, code, path, self.fuses[code])


class _Believing(CrashingLedger):
    @override
    @contextmanager
    def write(self) -> Iterator[Tx]:
        with super().write() as tx:
            yield tx
            taken = (tables.outbox.c.state == OutboxState.SENT, tables.outbox.c.acknowledged_at.is_not(None))
            stored = {"state": OutboxState.STORED.value, "next_send_at": None}
            tx.connection.execute(sa.update(tables.outbox).where(*taken).values(stored))


class TracesLeft(CrashingBench):
    """What is deleted stays in the file until its page is used again."""

    @override
    def open_ledger(self, path: Path, code: str) -> Ledger:
        return _Careless(super().open_ledger(path, code).engine, code, path, self.fuses[code])


class _Careless(CrashingLedger):
    @override
    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA secure_delete=OFF")
        with super().write() as tx:
            yield tx
