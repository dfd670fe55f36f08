"""A federation whose processes end between any two durable steps: around each commit, each sending, and each mark in
the home folder. No hook in the product: the ledger, the broker and the home folder that are handed in end it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from typing_extensions import override

from producers.relay import Relay
from referral_bus.broker.protocols import Broker, Reader, Sender, Sending, Topic
from referral_bus.clock import Clock
from referral_bus.federation.keyring import Keyring
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.store import Ledger, Tx, open_ledger
from referral_bus.rollback_guard import HighWater, RollbackGuard
from referral_bus.wire.raw import RawRecord
from tests.kit.bench import Bench
from tests.kit.hostile import HostileBroker
from tests.kit.made_once import AT_REST


class Crash(BaseException):
    """The process ends here. No `except Exception` of ours sees it, as none would see kill -9."""


class Fuse:
    """Burns down by one at each durable step, before it and after it, once it is lit."""

    def __init__(self) -> None:
        self._left: int | None = None

    def light(self, steps: int) -> None:
        self._left = steps

    def put_out(self) -> None:
        self._left = None

    def burn(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self.put_out()
            raise Crash


class CrashingLedger(Ledger):
    """Ends the process before a transaction, just before its commit, or just after it."""

    def __init__(self, engine: sa.Engine, code: str, path: Path, fuse: Fuse) -> None:
        super().__init__(engine, AtRest(AT_REST), code, path)
        self._fuse = fuse

    @override
    @contextmanager
    def write(self) -> Iterator[Tx]:
        self._fuse.burn()
        with super().write() as tx:
            yield tx
            self._fuse.burn()
        self._fuse.burn()


@cache
def _engine(path: Path, code: str) -> sa.Engine:
    """Made once for a place, whichever file stands there: looking for migrations at each start takes too long."""
    ledger = open_ledger(path, AtRest(AT_REST), code)
    ledger.close()
    return ledger.engine


class CrashingRollbackGuard(RollbackGuard):
    """Ends the process before or after the journal is written, and before or after the mark is raised."""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        super().__init__(folder)
        self._fuse = fuse

    @override
    def keep_up(self, ledger: Ledger) -> None:
        self._fuse.burn()
        super().keep_up(ledger)
        self._fuse.burn()

    @override
    def _raise(self, mark: HighWater) -> None:
        self._fuse.burn()
        super()._raise(mark)
        self._fuse.burn()


class CrashingBroker:
    """Ends the process before or after the broker takes a record."""

    def __init__(self, real: Broker, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        return self._real.topics(names)

    def ends(self, topic: Topic) -> Mapping[int, int]:
        return self._real.ends(topic)

    def sender(self) -> Sender:
        return _CrashingSender(self._real.sender(), self._fuse)

    def reader(self, group: str) -> Reader:
        return self._real.reader(group)

    def close(self) -> None:
        self._real.close()


class _CrashingSender:
    def __init__(self, real: Sender, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def send(self, record: RawRecord) -> Sending | None:
        self._fuse.burn()
        sending = self._real.send(record)
        self._fuse.burn()
        return sending

    def close(self) -> None:
        self._real.close()


class CrashingBench(Bench):
    """Each agency has a fuse. Ids are counted, so that a schedule runs the same way each time. `keyrings` are the first
    ones of each agency; later ones are new."""

    def __init__(
        self, folder: Path, codes: tuple[str, ...], broker: HostileBroker, keyrings: Mapping[str, Keyring]
    ) -> None:
        self.fuses = {code: Fuse() for code in codes}
        self._keyrings = dict(keyrings)
        self._ids = 0
        super().__init__(folder, codes, broker=broker)

    @override
    def new_keyring(self, code: str) -> Keyring:
        return self._keyrings.pop(code, None) or super().new_keyring(code)

    @override
    def new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids << 64, version=4)

    @override
    def open_ledger(self, path: Path, code: str) -> Ledger:
        return CrashingLedger(_engine(path, code), code, path, self.fuses[code])

    @override
    def make_rollback_guard(self, code: str) -> RollbackGuard:
        return CrashingRollbackGuard(self.folder / f"{code}-outside", self.fuses[code])

    @override
    def make_relay(
        self,
        ledger: Ledger,
        keyring: Keyring,
        broker: Broker | None = None,
        clock: Clock | None = None,
        rollback_guard: RollbackGuard | None = None,
    ) -> Relay:
        crashing = CrashingBroker(broker or self.broker, self.fuses[ledger.code])
        return super().make_relay(ledger, keyring, crashing, clock, rollback_guard)
