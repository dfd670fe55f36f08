"""Three agencies over a hostile host, one step at a time: everything real but the broker and the clock."""

from collections import defaultdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from referral_bus.errors import LedgerUnusable
from referral_bus.federation.keyring import Keyring
from referral_bus.federation.register import Register
from referral_bus.ledger import tables
from schemas.events import ReferralKey
from tests.kit.bench import Bench, Station
from tests.kit.hostile import HostileBroker
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed, without_agreement
from tests.property.schedules.crashing import Crash, CrashingBench
from tests.property.schedules.watching import Observer

CODES = (SENDER, RECIPIENT, THIRD)


@cache
def _prepared() -> dict[str, tuple[bytes, Keyring]]:
    """Ledgers that know everybody's keys, and these keys: made once, since each schedule begins there."""
    with TemporaryDirectory() as folder:
        made = Bench(Path(folder), CODES)
        made.announce()
        for station in made.stations.values():
            station.ledger.empty_log()
        made.close()
        return {code: (each.ledger.path.read_bytes(), each.keyring) for code, each in made.stations.items()}


class World:
    """What has happened so far, beside what the ledgers say."""

    def __init__(self, folder: Path, make: type[CrashingBench] = CrashingBench) -> None:
        for code, (ledger, _) in _prepared().items():
            (folder / f"{code}.sqlite").write_bytes(ledger)
        self.host = HostileBroker()
        self.bench = make(folder, CODES, self.host, {code: keyring for code, (_, keyring) in _prepared().items()})
        self.host.hostile = True
        self.started = 0  # referrals
        self.backups: dict[str, list[Path]] = defaultdict(list)
        self.ghosts: set[tuple[str, ReferralKey]] = set()
        """A referral that an agency does not know any more, since its ledger was restored from before it."""
        self.promised: set[tuple[str, ReferralKey]] = set()
        """What somebody at an agency was told to be erased for good."""
        self.newest = self.bench.register
        self.observer = Observer(folder, self.host, self.newest, self.bench.clock)

    def close(self) -> None:
        self.observer.close()
        self.bench.close()

    def others(self, code: str) -> list[str]:
        return [other for other in CODES if other != code]

    def topics(self, code: str) -> set[str]:
        """What an agency reads."""
        register = self.bench.register
        names = [register.inbox(code), *(register.announcement(other) for other in self.others(code))]
        return {name for name in names if name is not None}

    def known(self, station: Station) -> list[ReferralKey]:
        """Every referral in its ledger, erased ones too, in the order in which they were started."""
        found: set[ReferralKey] = set()
        with station.ledger.read() as tx:
            for table in (tables.referrals, tables.tombstones):
                rows = tx.connection.execute(sa.select(table.c.referral_sender, table.c.referral_id))
                found |= {ReferralKey(row.referral_sender, row.referral_id) for row in rows}
        return sorted(found, key=lambda key: key.referral_id)

    def next_register(self, *, without: tuple[str, str] | None = None) -> Register:
        """A newer one than anybody has; perhaps an agreement has ended."""
        base = self.newest if without is None else without_agreement(self.newest, *without)
        self.newest = self.observer.register = changed(base, version=self.newest.version + 1)
        return self.newest

    def take_register(self, station: Station, register: Register) -> None:
        self.bench.own_registers[station.code] = register
        station.ingest.judge_held()

    def start(self, station: Station) -> None:
        """As the service starts: not with a ledger that is behind what has left it."""
        try:
            station.rollback_guard.refuse_if_behind(station.ledger)
        except LedgerUnusable:
            station.go_on()
        else:
            station.reopen()

    def crashed(self, station: Station) -> None:
        self.bench.fuses[station.code].put_out()
        self.start(station)

    def restore(self, station: Station, backup: Path, *, by_the_book: bool) -> None:
        """Somebody puts a backup back, and tells the service so or just starts it."""
        known = self.known(station)
        station.put_back(backup)
        try:
            if by_the_book:
                station.go_on()
            else:
                self.start(station)
        except Crash:
            self.crashed(station)
        self.ghosts |= {(station.code, key) for key in set(known) - set(self.known(station))}
