"""What SQLite's errors mean: something to wait for, or the end of this ledger. Nothing of SQLite's own words is passed
on, since they may quote a value."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from referral_bus.errors import LedgerUnusable, Reason, Unreachable
from referral_bus.files import whose

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
UNREADABLE = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOLFS}
)
FULL_BYTES = 256 * 1024  # with less than this free, an error of reading and writing is a full disk's


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Turns what the ledger's disk or another process does to us into `Unreachable` or `LedgerUnusable`. Any other
    error is a defect and passes."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        meaning = _meaning(error.orig if isinstance(error, DBAPIError) else error, path)
        if meaning is None:
            raise
        raise meaning from None


def is_lock(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the ledger just now."""
    return error.sqlite_errorcode & 0xFF in LOCKED


def damaged() -> LedgerUnusable:
    advice = "the ledger is missing or damaged; put a backup in its place: referral-bus agency restored --from FILE"
    return LedgerUnusable(Reason.LEDGER_DAMAGED, advice, path="ledger")


def replaced() -> LedgerUnusable:
    advice = "another file stands in the ledger's place since it was opened; open it anew"
    return LedgerUnusable(Reason.LEDGER_DAMAGED, advice, path="ledger")


def _meaning(error: BaseException | None, path: Path) -> Unreachable | LedgerUnusable | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the others say more of it
    if code in DAMAGED:
        return damaged()
    if code in LOCKED:
        return _unreachable("another process holds it; try again")
    if code == sqlite3.SQLITE_FULL or (code in UNREADABLE and _full(path)):
        return _unreachable("the disk is full; free some space, nothing accepted is lost")
    if code in UNREADABLE:
        return _unreachable(f"it cannot be read or written; {whose(path)}")
    return None


def _unreachable(advice: str) -> Unreachable:
    return Unreachable(Reason.LEDGER_UNREACHABLE, advice, path="ledger")


def _full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False
