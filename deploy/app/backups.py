"""Backing up an agency's ledger, and going on after a backup was put back.

Keys, marks and the journal of erasures stay in the home folder and are in no backup: without the home a backup opens
nothing, and with it nothing comes back that was erased.
"""

import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from deploy.app.desk import Desk
from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.home import Home, running
from referral_bus.ledger.restoring import restored
from referral_bus.ledger.sending import own_incarnation
from referral_bus.ledger.store import Ledger
from referral_bus.ledger.writing import Writing
from referral_bus.outside_backups import HighWater, OutsideBackups

LOG_FILES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Restored:
    """What `agency restored` has done."""

    incarnation: int
    erased: int  # referrals that the journal says are erased


def back_up(desk: Desk, target: Path) -> None:
    """One new file, whole or not there at all; the service may run meanwhile."""
    if target.exists():
        raise Refused(Reason.FILE_EXISTS, "this file is there already; name a new one", "FILE")
    partial = target.with_name(f".{target.name}.part")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        desk.ledger.back_up(partial)
        _check(partial, desk.settings.agency)
        _sync(partial)
        os.link(partial, target)
        _sync(target.parent)
    except FileExistsError:
        raise Refused(Reason.FILE_EXISTS, "this file is there already; name a new one", "FILE") from None
    except OSError:
        raise Unreachable(Reason.FILE_UNREADABLE, "it cannot be written there; look at the disk", "FILE") from None
    finally:
        partial.unlink(missing_ok=True)


def go_on_after_restore(desk: Desk, backup: Path | None) -> Restored:
    """Puts `backup` in the ledger's place, if one is named, and goes on with what stands there under a new incarnation.
    Only while the service does not run. Broken off, it can be run again."""
    home = desk.home
    with running(home):
        forget_broken_off(home)
        _check_what_stays(desk)
        if backup is not None:
            put_in_place(backup, home.ledger, desk.settings.agency)
        ledger = home.open_ledger(desk.keyring, desk.settings.agency)
        try:
            return go_on(ledger, desk.outside, desk.writing())
        finally:
            ledger.close()


def _check_what_stays(desk: Desk) -> None:
    """Reads all that a restore needs besides the backup, before anything is replaced. Raises what is wrong with it."""
    _ = desk.settings, desk.keyring, desk.register
    desk.outside.high_water()
    desk.outside.journal()


def go_on(ledger: Ledger, outside: OutsideBackups, writing: Writing) -> Restored:
    """Under an incarnation that exceeds every one ever used."""
    with ledger.read() as tx:
        incarnation = max(own_incarnation(tx), outside.high_water().incarnation) + 1
    outside.raise_to(HighWater(incarnation, 0))
    journal = outside.journal()
    with ledger.write() as tx:
        restored(tx, incarnation, journal, writing)
    outside.keep_up(ledger)
    ledger.empty_log()
    return Restored(incarnation, len(journal))


def forget_broken_off(home: Home) -> None:
    """A restore that was killed may have left a copy of its backup, with what was erased since. Only while nobody
    restores."""
    _unlink(_partial(home.ledger))


def _unlink(ledger: Path) -> None:
    """With what SQLite lays beside it."""
    for end in ("", *LOG_FILES):
        Path(f"{ledger}{end}").unlink(missing_ok=True)


def _partial(ledger: Path) -> Path:
    return ledger.with_suffix(".restoring")


def put_in_place(backup: Path, ledger: Path, agency: str) -> None:
    """The write-ahead log of the ledger that was there belongs to it alone: beside another one it would be read as
    that one's. What is replaced is overwritten by nobody; the file system has it until it reuses the space."""
    if not backup.is_file():
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file", "FILE")
    partial = _partial(ledger)
    try:
        _unlink(partial)
        partial.touch(mode=0o600)
        shutil.copyfile(backup, partial)
        _check(partial, agency)
        _sync(partial)
        _unlink(ledger)
        partial.replace(ledger)
        _sync(ledger.parent)
    except OSError:
        advice = "it cannot be read, or not be put into the home folder; look at the disk"
        raise Unreachable(Reason.FILE_UNREADABLE, advice, "FILE") from None
    finally:
        _unlink(partial)


def _check(path: Path, agency: str) -> None:
    """That it is a whole ledger of this agency. Nothing else has it open, so SQLite needs to lay nothing beside it."""
    try:
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True) as connection:
            well = connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            owner = connection.execute("SELECT code FROM agency").fetchone()[0]
        connection.close()
    except (sqlite3.Error, TypeError):
        well, owner = False, agency
    if not well or owner != agency:
        raise Refused(Reason.HOME_INVALID, "this file is no whole ledger of this agency", "FILE")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
