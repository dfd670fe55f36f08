"""The monitor's own database, and its transactions. One transaction holds what was read, what follows from it, and how
far it was read. A power cut may lose the last transactions as a whole; the monitor then reads those records again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, NoResultFound

from consumers.monitor import tables
from referral_bus.errors import LedgerUnusable, Reason, Refused, Unreachable
from referral_bus.files import refuse_second_name, trouble
from referral_bus.sqlite_engine import sqlite_engine
from referral_bus.sqlite_errors import advice_for, trouble_of

BUSY_TIMEOUT_S = 10.0
CACHE_KIB = 8 * 1024
CHECKPOINT_PAGES = 4000  # of the log before it is written back; random ids touch many pages in each batch
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON", f"wal_autocheckpoint={CHECKPOINT_PAGES}")
_REBUILD = "move it away, and the monitor reads everything from Kafka again"


class Store:
    """Gives access by `write()` and `read()` only. All writers share one connection, because its page cache is large
    and each further connection would have its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _engine(path, f"cache_size=-{CACHE_KIB}", "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
        self._reader = _engine(path, "query_only=ON", "BEGIN")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that takes the write lock at once."""
        with _reachable(self._path), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database; it blocks no writer."""
        with _reachable(self._path), self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def _engine(path: Path, pragma: str, begin: str, **pool: int) -> sa.Engine:
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return sqlite_engine(path, BUSY_TIMEOUT_S, (*_PRAGMAS, pragma), start, **pool)


@contextmanager
def _reachable(path: Path) -> Iterator[None]:
    """Turns errors that come from the disk, or from another process that uses the file, into `Unreachable` or
    `LedgerUnusable`. Any other error is a defect and is raised as it is."""
    try:
        yield
    except DBAPIError as error:
        found = trouble_of(error, path)
        if found is None:
            raise
        if found == "damaged":
            raise LedgerUnusable(
                Reason.LEDGER_DAMAGED, f"it is damaged, or no database of ours; {_REBUILD}", path.name
            ) from None
        raise Unreachable(Reason.LEDGER_UNREACHABLE, advice_for(found, path, "nothing is lost"), path.name) from None


def open_store(path: Path, federation: str, now: datetime) -> Store:
    """Opens the database, or makes it. Raises `Refused` for one of another federation, or one that another version of
    this software made."""
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        refuse_second_name(path, path.name)
    except OSError as error:
        raise trouble(error, path, path.name, "written") from None
    store = Store(path)
    try:
        with store.read() as tx:
            new = not sa.inspect(tx).has_table(tables.monitor.name)
        if new:
            with store.write() as tx:
                _make(tx, federation, now)
        with store.read() as tx:
            version, owner = tx.execute(sa.select(tables.monitor.c.version, tables.monitor.c.federation)).one()
    except (DBAPIError, NoResultFound):
        raise Refused(Reason.HOME_INVALID, f"it is no database of ours; {_REBUILD}", path.name) from None
    if version != tables.VERSION:
        raise Refused(Reason.HOME_INVALID, f"another version of the software wrote it; {_REBUILD}", path.name)
    if owner != federation:
        raise Refused(Reason.HOME_INVALID, "it belongs to another federation", path.name)
    return store


def _make(tx: Connection, federation: str, now: datetime) -> None:
    if not sa.inspect(tx).has_table(tables.monitor.name):  # unless another process made it meanwhile
        tables.metadata.create_all(tx)
        first = {"version": tables.VERSION, "federation": federation, "created_at": now}
        tx.execute(sa.insert(tables.monitor).values(first))
