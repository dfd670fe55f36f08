"""Opens an agency's ledger, runs its transactions, and notifies threads of commits by any process."""

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

BUSY_TIMEOUT_S = 5.0  # for the write lock; a service that is told to end waits no longer than this
CACHE = "cache_size=-512"  # KiB for each connection: threads are many, and the operating system caches the pages, too
LOG_LIMIT = 8 * 1024 * 1024  # bytes; without long read transactions SQLite keeps its log to half of it
LOG = f"journal_size_limit={LOG_LIMIT}"
LOOK_S = 0.002
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON", CACHE, LOG)
"""WAL with full syncs: a committed transaction survives a power cut. secure_delete: deleted content is overwritten."""

_READ_ONLY = {"referral_bus_read_only": True}


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction under way, with what the functions of this package need beside its connection."""

    connection: Connection
    at_rest: AtRest
    code: str  # the agency whose ledger this is
    memo: dict[str, object] = field(default_factory=dict)  # results that functions reuse within this transaction


class Ledger:
    """One agency's database. `write()` and `read()` give transactions, which the functions of this package take."""

    def __init__(self, engine: sa.Engine, at_rest: AtRest, code: str, path: Path) -> None:
        self.engine = engine
        self.at_rest = at_rest
        self.code = code
        self.path = path
        self._file = _file_at(path)
        self.writable = True  # whether the last write transaction succeeded

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A write transaction, which commits at the end of the context. It takes the write lock at its beginning, so
        that it cannot fail for want of the lock later. Raises `Unreachable` if the lock is not free within
        `BUSY_TIMEOUT_S` or the disk fails, and `LedgerUnusable` if a backup has taken the ledger's place since it was
        opened: the written rows would be lost."""
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
        """A read transaction with a consistent view, which does not make writers wait. Raises `Unreachable` or
        `LedgerUnusable`."""
        with reachable(self.path), self._connect_to_read() as connection, connection.begin():
            yield Tx(connection, self.at_rest, self.code)

    def _connect_to_read(self) -> Connection:
        return self.engine.connect().execution_options(**_READ_ONLY)

    def check(self) -> None:
        """Reads the whole file. Raises `LedgerUnusable` if its structure is damaged, or if its schema is not ours."""
        with self.read() as tx:
            driver = tx.connection.connection.driver_connection
            well = isinstance(driver, sqlite3.Connection) and is_ours(driver)
            if not well or tx.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise damaged()

    def empty_log(self) -> bool:
        """Truncates the write-ahead log, in which erased content stays readable until then. Returns False while a read
        transaction prevents it: try again."""
        with reachable(self.path), self.engine.connect() as connection:
            busy = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def back_up(self, path: Path) -> None:
        """Writes a complete and consistent copy to a new file; other processes may write meanwhile."""
        with reachable(self.path), self.engine.connect() as connection:
            connection.connection.cursor().execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        self.engine.dispose()


def create_ledger(path: Path, at_rest: AtRest, code: str) -> Ledger:
    """Makes a new, empty ledger of the agency `code`. Raises `Refused` if there is a file at `path`, `Unreachable` for
    the disk's trouble."""
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
    """Opens the ledger at `path` and brings its tables up to date. Raises `Refused` for another agency's ledger, or one
    of newer software, and `LedgerUnusable` for one that is missing or damaged: it never makes an empty one in its
    place, which would have forgotten everything."""
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
    """The identity (device and inode) of the file at `path`."""
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
    """Begins a transaction with the write lock, for which it tries every `LOOK_S`. SQLite itself soon tries only every
    100 ms: a thread that writes one transaction after the other, as ingest does with a backlog, would keep it out for
    seconds."""
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
    """Wakes the threads in `wait` within `interval_s` after any process has committed to the ledger.

    One thread runs `run` for the whole process: it asks SQLite for `PRAGMA data_version`, which takes 4 microseconds.
    """

    def __init__(self, path: Path, interval_s: float = 0.02) -> None:
        self._path = path
        self._interval_s = interval_s
        self._condition = threading.Condition()
        self._version = 0

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        """Watches for commits until `stop`, and calls `progress` at each look. Raises `LedgerUnusable` when the file is
        missing or was replaced: rows written to the open file would be lost at the end of the process."""
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
        """Wakes all threads in `wait`."""
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Waits until the version is not `seen` any more, `timeout_s` at most. Returns the current version, to pass as
        `seen` the next time."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout_s)
            return self._version
