"""Classifies errors of SQLite by their code. SQLite's own message is never shown or logged: it may quote a value."""

import shutil
import sqlite3
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import DBAPIError

from referral_bus.files import whose

SqliteTrouble = Literal["damaged", "locked", "full", "unreadable"]

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
UNREADABLE = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOLFS}
)
FULL_BYTES = 256 * 1024  # with less space free, an error of reading or writing counts as a full disk


def trouble_of(error: DBAPIError | sqlite3.Error, path: Path) -> SqliteTrouble | None:
    """Which trouble of the disk or with another process the error shows, for the database at `path`. None for any other
    error, which is a defect."""
    code = _code(error)
    if code in DAMAGED:
        return "damaged"
    if code in LOCKED:
        return "locked"
    if code == sqlite3.SQLITE_FULL or (code in UNREADABLE and _full(path)):
        return "full"
    return "unreadable" if code in UNREADABLE else None


def is_lock(error: sqlite3.Error) -> bool:
    """Whether the error says that another connection holds the database's lock."""
    return _code(error) in LOCKED


def advice_for(trouble: Literal["locked", "full", "unreadable"], path: Path, nothing: str) -> str:
    """What to do about the trouble, for an error line. `nothing` tells what is lost by a full disk, as in "nothing
    accepted is lost"."""
    match trouble:
        case "locked":
            return "another process holds it; try again"
        case "full":
            return f"the disk is full; free some space, {nothing}"
        case "unreadable":
            return f"it cannot be read or written; {whose(path)}"


def _code(error: DBAPIError | sqlite3.Error) -> int:
    """SQLite's primary result code, which is the low byte of the extended one."""
    found = error.orig if isinstance(error, DBAPIError) else error
    return getattr(found, "sqlite_errorcode", 0) & 0xFF


def _full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False
