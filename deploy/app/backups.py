"""Backing up an agency's ledger, and going on after a backup was put back.

Keys, marks and the journal of erasures stay in the home folder and are in no backup: without the home a backup opens
nothing, and with it nothing comes back that was erased.
"""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.app.agency_client import AgencyClient
from deploy.app.backup_files import backup_key, take_out, write_backup
from referral_bus.errors import Reason, Refused
from referral_bus.files import sync_folder, trouble
from referral_bus.home import Home, running
from referral_bus.ledger.ledger_errors import damaged, reachable
from referral_bus.ledger.own_agency import incarnation_by_clock, own_incarnation
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.restoring import restored
from referral_bus.ledger.schema import is_whole
from referral_bus.ledger.store import Ledger
from referral_bus.rollback_guard import Believed, HighWater, RollbackGuard, every_key
from schemas.events import HIGHEST_INCARNATION

_COPY_PREFIX, _COPY_SUFFIX = "ledger.", ".backing-up"
LOG_FILES = ("-wal", "-shm")
LONGEST_LEAP = 1 << 16  # of incarnations in one restore; the clock gives as many in 45 days

RandomBelow = Callable[[int], int]
"""A whole number from 0 up to and not including this one, as `secrets.randbelow` draws it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What `agency restored` has done."""

    incarnation: int
    erased: int  # referrals that the journal says are erased


def back_up(client: AgencyClient, target: Path) -> None:
    """One new file; the service may run meanwhile. SQLite writes into the home, where no other user can put a link in
    its way, and from there the backup is copied to its place."""
    if os.path.lexists(target):
        raise Refused(Reason.FILE_EXISTS, "this file is there already; name a new one", "FILE")
    home, code = client.home, client.settings.agency
    try:
        descriptor, name = tempfile.mkstemp(prefix=_COPY_PREFIX, suffix=_COPY_SUFFIX, dir=home.folder)
    except OSError as error:
        raise trouble(error, home.folder, "home", "written") from None
    copy = Path(name)
    with os.fdopen(descriptor, "rb") as ledger:
        try:
            fcntl.flock(ledger, fcntl.LOCK_EX)
            client.ledger.back_up(copy)
            if not _whole(copy, code):
                raise damaged()
            write_backup(ledger, target, backup_key(client.keyring.at_rest, code))
        finally:
            copy.unlink(missing_ok=True)


def go_on_after_restore(client: AgencyClient, backup: Path | None) -> Restored:
    """Puts `backup` in the ledger's place, if one is named, and goes on with what stands there under a new incarnation.
    Only while the service does not run. Broken off, it can be run again."""
    home = client.home
    with running(home):
        forget_broken_off(home)
        _check_what_stays(client)
        if backup is not None:
            restore_from(backup, home.ledger, client.settings.agency, client.keyring.at_rest)
        elif home.ledger.exists() and not _whole(home.ledger, client.settings.agency, alone=False):
            raise damaged()
        ledger = home.open_ledger(client.keyring, client.settings.agency)
        try:
            return go_on(ledger, client.rollback_guard, client.writing(), client.own_key_counts, secrets.randbelow)
        finally:
            ledger.close()


def _check_what_stays(client: AgencyClient) -> None:
    """Reads all that a restore needs besides the backup, before anything is replaced. Raises what is wrong with it."""
    _ = client.settings, client.keyring, client.register
    next_incarnation(client.rollback_guard.mark(client.own_key_counts).incarnation)
    client.rollback_guard.journal()


def next_incarnation(highest: int) -> int:
    """The one above `highest`. Raises `Refused` before anything is written when there is none."""
    if highest >= HIGHEST_INCARNATION:
        advice = "the highest one was announced with this agency's key, so a thief has it; have it revoked first"
        raise Refused(Reason.INCARNATIONS_USED_UP, advice, "keys/signing.key")
    return highest + 1


def unguessed_incarnation(known: int, heard: int, now: datetime, random_below: RandomBelow) -> int:
    """One above `known`, and above what revoked keys were `heard` to say where that leaves room, at a distance that a
    thief cannot guess. It stays below `incarnation_by_clock`, for a new start that remembers nothing."""
    ceiling = min(incarnation_by_clock(now), HIGHEST_INCARNATION)
    base = heard if known < heard <= ceiling - LONGEST_LEAP else known
    return next_incarnation(base) + random_below(max(1, min(LONGEST_LEAP, ceiling - base)))


def go_on(
    ledger: Ledger,
    rollback_guard: RollbackGuard,
    writing: Writing,
    believed: Believed = every_key,
    random_below: RandomBelow = lambda _: 0,
) -> Restored:
    """Under an incarnation that exceeds every one ever used, but for those that a revoked key has announced."""
    with ledger.read() as tx:
        known = max(own_incarnation(tx), rollback_guard.mark(believed).incarnation)
    incarnation = unguessed_incarnation(known, rollback_guard.mark().incarnation, writing.now, random_below)
    rollback_guard.raise_to(HighWater(incarnation, 0))
    journal = rollback_guard.journal()
    with ledger.write() as tx:
        restored(tx, incarnation, journal, writing)
    rollback_guard.keep_up(ledger)
    ledger.empty_log()
    return Restored(incarnation, len(journal))


def forget_broken_off(home: Home) -> None:
    """A restore or a backup that was killed may have left a copy of the ledger, with what was erased since. Only while
    no process restores; a backup under way holds its copy."""
    _unlink(_partial(home.ledger))
    for copy in home.folder.glob(f"{_COPY_PREFIX}*{_COPY_SUFFIX}"):
        with suppress(FileNotFoundError, BlockingIOError), copy.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            copy.unlink()


def _unlink(ledger: Path) -> None:
    """With what SQLite lays beside it."""
    for end in ("", *LOG_FILES):
        Path(f"{ledger}{end}").unlink(missing_ok=True)


def _partial(ledger: Path) -> Path:
    return ledger.with_suffix(".restoring")


def restore_from(backup: Path, ledger: Path, agency: str, at_rest: bytes) -> None:
    """Puts a backup in the ledger's place, after its MAC, its tables and its owner were checked."""
    partial = _partial(ledger)
    _unlink(partial)
    try:
        take_out(backup, partial, backup_key(at_rest, agency))
        put_in_place(partial, ledger, agency)
    finally:
        _unlink(partial)


def put_in_place(copy: Path, ledger: Path, agency: str) -> None:
    """Moves a ledger from beside its place into it. The write-ahead log of the one that was there belongs to that one
    alone: beside another one it would be read as that one's. What is replaced is not overwritten; the file system has
    it until it reuses the space."""
    if not _whole(copy, agency):
        advice = "this file is no whole ledger of this agency with the tables of this software, and nothing besides"
        raise Refused(Reason.HOME_INVALID, advice, "FILE")
    try:
        _unlink(ledger)
        copy.replace(ledger)
        sync_folder(ledger.parent)
    except OSError as error:
        raise trouble(error, ledger, "ledger", "written") from None


def _whole(path: Path, agency: str, *, alone: bool = True) -> bool:
    with reachable(path):
        return is_whole(path, agency, alone=alone)
