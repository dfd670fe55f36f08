"""Opening an agency's ledger, its transactions, and being told when somebody has written."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, OperationalError

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import AtRest

BUSY_TIMEOUT_S = 10.0
_READ_ONLY = {"referral_bus_read_only": True}


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction under way, and what the ledger's functions need beside it."""

    connection: Connection
    at_rest: AtRest
    code: str  # the agency whose ledger this is


class Ledger:
    """One agency's database. `write()` and `read()` are its only doors; the functions of this package do the rest."""

    def __init__(self, engine: sa.Engine, at_rest: AtRest, code: str, path: Path) -> None:
        self.engine = engine
        self.at_rest = at_rest
        self.code = code
        self.path = path

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """One transaction that takes the write lock at once, so that it never fails halfway for want of it."""
        with _reachable(), self.engine.begin() as connection:
            yield Tx(connection, self.at_rest, self.code)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view that holds nobody up."""
        with _reachable(), self.engine.connect().execution_options(**_READ_ONLY) as connection, connection.begin():
            yield Tx(connection, self.at_rest, self.code)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        word = "full" if "full" in str(error.orig) else "locked" if "locked" in str(error.orig) else "unreadable"
        advice = {
            "full": "the disk is full; free some space, nothing accepted is lost",
            "locked": "another process holds it; try again",
            "unreadable": "check the file and the disk",
        }
        raise Unreachable(Reason.LEDGER_UNREACHABLE, advice[word], path="ledger") from None


def open_ledger(path: Path, at_rest: AtRest, code: str) -> Ledger:
    """Opens the ledger at `path`, makes it when new, and brings its tables up to date. Refuses another agency's."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    ledger = Ledger(engine, at_rest, code, path)
    try:
        with ledger.write() as tx:
            _migrate(tx.connection)
            owner = tx.connection.execute(sa.select(tables.agency.c.code)).scalar_one_or_none()
            if owner is None:
                tx.connection.execute(sa.insert(tables.agency).values(code=code, incarnation=1, announcement_counter=0))
    except DBAPIError as error:  # a file that is no database, above all
        raise Refused(Reason.HOME_INVALID, "this file is no ledger of ours", path="ledger") from error
    if owner not in (None, code):
        raise Refused(Reason.HOME_INVALID, "this ledger belongs to another agency", path="ledger")
    return ledger


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """WAL with full syncs: what is committed survives a power cut. secure_delete: what is deleted leaves the file."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("referral_bus_read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _migrate(tx: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "referral_bus.ledger:migrations")
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


class Changes:
    """Wakes whoever waits when any process has committed to the ledger, within `interval_s`.

    SQLite tells it by `PRAGMA data_version`, which costs 4 microseconds; one thread asks for the whole process.
    """

    def __init__(self, path: Path, interval_s: float = 0.02) -> None:
        self._path = path
        self._interval_s = interval_s
        self._condition = threading.Condition()
        self._version = 0

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        """The watching thread's work, until `stop`."""
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)
        try:
            seen = None
            while not stop.wait(self._interval_s):
                progress()
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    seen = version
                    self.notify()
        finally:
            connection.close()

    def notify(self) -> None:
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Returns the current version: at once when it is not `seen` any more, else after at most `timeout_s`."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout_s)
            return self._version
