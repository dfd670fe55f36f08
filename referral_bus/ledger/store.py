"""Opening an agency's ledger, its transactions, and being told when somebody has written."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.files import refuse_second_name, trouble
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.ledger_errors import damaged, reachable, replaced
from referral_bus.ledger.schema import is_ours, migrate
from referral_bus.sqlite_engine import sqlite_engine, sqlite_uri
from referral_bus.sqlite_errors import is_lock

BUSY_TIMEOUT_S = 5.0  # a service that is told to end waits for no lock longer than this
CACHE = "cache_size=-512"  # KiB for each connection: threads are many, and the operating system has the pages anyway
LOG_LIMIT = 8 * 1024 * 1024  # bytes; twice what SQLite lets its log grow to while no one reads for long
LOG = f"journal_size_limit={LOG_LIMIT}"
LOOK_S = 0.002
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON", CACHE, LOG)
"""WAL with full syncs: what is committed survives a power cut. secure_delete: what is deleted leaves the file."""

_READ_ONLY = {"referral_bus_read_only": True}


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction under way, and what the ledger's functions need beside it."""

    connection: Connection
    at_rest: AtRest
    code: str  # the agency whose ledger this is
    memo: dict[str, object] = field(default_factory=dict)  # what is known already in this transaction


class Ledger:
    """One agency's database. `write()` and `read()` are its only doors; the functions of this package do the rest."""

    def __init__(self, engine: sa.Engine, at_rest: AtRest, code: str, path: Path) -> None:
        self.engine = engine
        self.at_rest = at_rest
        self.code = code
        self.path = path
        self._file = _file_at(path)
        self.writable = True  # as far as the last transaction has shown

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """One transaction that takes the write lock at once, so that it never fails halfway for want of it. Raises
        `LedgerUnusable` when a backup was put in the ledger's place since: what is written here would be lost."""
        try:
            with reachable(self.path), self.engine.begin() as connection:
                yield Tx(connection, self.at_rest, self.code)
                if _file_at(self.path) != self._file:
                    raise replaced()
        except Unreachable:
            self.writable = False
            raise
        self.writable = True

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent view that holds nobody up."""
        with reachable(self.path), self._connect_to_read() as connection, connection.begin():
            yield Tx(connection, self.at_rest, self.code)

    def _connect_to_read(self) -> Connection:
        return self.engine.connect().execution_options(**_READ_ONLY)

    def check(self) -> None:
        """Reads the whole file; raises `LedgerUnusable` when its structure is damaged, or has what we have not made."""
        with self.read() as tx:
            driver = tx.connection.connection.driver_connection
            well = isinstance(driver, sqlite3.Connection) and is_ours(driver)
            if not well or tx.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise damaged()

    def empty_log(self) -> bool:
        """Empties the write-ahead log, in which erased content stays readable for a while. False while a reader is
        open: try again."""
        with reachable(self.path), self.engine.connect() as connection:
            busy = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def back_up(self, path: Path) -> None:
        """A whole and consistent copy in one new file, also while others write."""
        with reachable(self.path), self.engine.connect() as connection:
            connection.connection.cursor().execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        self.engine.dispose()


def create_ledger(path: Path, at_rest: AtRest, code: str) -> Ledger:
    """A new, empty ledger of this agency. Refuses to take the place of anything that is there."""
    try:
        path.open("xb").close()
    except FileExistsError:
        raise Refused(Reason.HOME_INVALID, "there is a file in the ledger's place", path="ledger") from None
    except OSError as error:
        raise trouble(error, path, "ledger", "written") from None
    ledger = Ledger(_engine(path), at_rest, code, path)
    with ledger.write() as tx:
        migrate(tx.connection)
        tx.connection.execute(sa.insert(tables.agency).values(code=code, incarnation=1, announcement_counter=0))
    return ledger


def open_ledger(path: Path, at_rest: AtRest, code: str) -> Ledger:
    """Opens the ledger at `path` and brings its tables up to date. Refuses another agency's. Raises `LedgerUnusable`
    for one that is missing or damaged: an empty one in its place would have forgotten everything."""
    try:
        refuse_second_name(path, "ledger")
    except FileNotFoundError:
        raise damaged() from None
    if path.is_file() and not path.stat().st_size:
        raise damaged()
    ledger = Ledger(_engine(path), at_rest, code, path)
    try:
        with ledger.write() as tx:
            if not sa.inspect(tx.connection).has_table(tables.agency.name):
                raise damaged()
            migrate(tx.connection)
            owner = tx.connection.execute(sa.select(tables.agency.c.code)).scalar_one_or_none()
    except CommandError:
        advice = "this ledger was written by newer software; install that again"
        raise Refused(Reason.HOME_INVALID, advice, path="ledger") from None
    except DBAPIError:
        raise damaged() from None
    if owner is None:
        raise damaged()
    if owner != code:
        raise Refused(Reason.HOME_INVALID, "this ledger belongs to another agency", path="ledger")
    return ledger


def _file_at(path: Path) -> tuple[int, int]:
    """Which file stands there, whatever it is called."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise damaged() from None
    except OSError as error:
        raise trouble(error, path, "ledger") from None
    return found.st_dev, found.st_ino


def _engine(path: Path) -> sa.Engine:
    return sqlite_engine(path, BUSY_TIMEOUT_S, PRAGMAS, _begin)


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("referral_bus_read_only"):
        connection.exec_driver_sql("BEGIN")
    else:
        _take_the_lock(connection)


def _take_the_lock(connection: Connection) -> None:
    """Looks every 2 ms. SQLite itself looks every 100 ms after a while, and somebody who writes one transaction after
    the other, as ingest does with a backlog, would keep it out for seconds."""
    driver = connection.connection.cursor()
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_lock(error) or time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_S)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")


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
        """The watching thread's work, until `stop`. Raises `LedgerUnusable` when the file is not there any more, or is
        another one: what is written to the one that we hold open would be gone with the process."""
        with (
            reachable(self._path),
            closing(sqlite3.connect(sqlite_uri(self._path), timeout=BUSY_TIMEOUT_S, uri=True)) as tx,
        ):
            file, seen = _file_at(self._path), None
            while not stop.wait(self._interval_s):
                progress()
                if _file_at(self._path) != file:
                    raise replaced()
                version = tx.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    seen = version
                    self.notify()

    def notify(self) -> None:
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Returns the current version: at once when it is not `seen` any more, else after at most `timeout_s`."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout_s)
            return self._version
