"""Backs up an agency's ledger, and continues after a backup was put back.

Keys, marks and the journal of erasures stay in the home folder and are in no backup. So a backup cannot be opened
without its home, and restoring one brings back nothing that was erased.
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
LONGEST_LEAP = 1 << 16  # incarnations that one restore may skip; `incarnation_by_clock` grows by as many in 45 days

RandomBelow = Callable[[int], int]
"""Given n, a random whole number from 0 to n - 1, as `secrets.randbelow` draws it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of `agency restored`."""

    incarnation: int
    erased: int  # number of erased referrals in the journal


def back_up(client: AgencyClient, target: Path) -> None:
    """Writes a backup into the new file `target`; the service may run meanwhile. SQLite first writes the copy into the
    home, where no other user can put a link in its way; from there it is copied to `target`. Raises `Refused` where the
    file exists, `LedgerUnusable` where the ledger is damaged."""
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
    """Puts `backup` in the ledger's place, if one is given, and continues with the ledger there under a new
    incarnation. Raises `Refused` while the service runs. After an interruption it can be run again."""
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
    """Reads everything else that a restore needs, before it replaces anything: settings, keys, register, mark, journal.
    Raises what is wrong with them."""
    _ = client.settings, client.keyring, client.register
    next_incarnation(client.rollback_guard.mark(client.own_key_counts).incarnation)
    client.rollback_guard.journal()


def next_incarnation(highest: int) -> int:
    """The incarnation above `highest`. Raises `Refused` when there is none."""
    if highest >= HIGHEST_INCARNATION:
        advice = "the highest one was announced with this agency's key: a thief has that key; have it revoked first"
        raise Refused(Reason.INCARNATIONS_USED_UP, advice, "keys/signing.key")
    return highest + 1


def unguessed_incarnation(known: int, heard: int, now: datetime, random_below: RandomBelow) -> int:
    """An incarnation above `known`, at a random distance, so that a thief of the signing key cannot announce it before.
    `heard`: the highest one that was announced under any key, revoked ones included; the result is above it too, where
    that leaves room. It stays below `incarnation_by_clock`, which a new home that remembers nothing will use."""
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
    """Continues under an incarnation above every one used before, except those that only a revoked key has announced.
    `believed`: given the id of a signing key, whether announcements under it count."""
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
    """Removes copies of the ledger that a killed restore or backup has left: they may hold what was erased since. Call
    it only while no restore runs. The copy of a backup under way is locked, and stays."""
    _unlink(_partial(home.ledger))
    for copy in home.folder.glob(f"{_COPY_PREFIX}*{_COPY_SUFFIX}"):
        with suppress(FileNotFoundError, BlockingIOError), copy.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            copy.unlink()


def _unlink(ledger: Path) -> None:
    """Removes a ledger and the log files that SQLite keeps beside it."""
    for end in ("", *LOG_FILES):
        Path(f"{ledger}{end}").unlink(missing_ok=True)


def _partial(ledger: Path) -> Path:
    return ledger.with_suffix(".restoring")


def restore_from(backup: Path, ledger: Path, agency: str, at_rest: bytes) -> None:
    """Puts a backup in the ledger's place after checking its MAC, its tables and its agency. Raises `Refused`."""
    partial = _partial(ledger)
    _unlink(partial)
    try:
        take_out(backup, partial, backup_key(at_rest, agency))
        put_in_place(partial, ledger, agency)
    finally:
        _unlink(partial)


def put_in_place(copy: Path, ledger: Path, agency: str) -> None:
    """Moves a copied ledger into its place. First removes the ledger there with its write-ahead log: SQLite would read
    that log as the new ledger's. The old file is not overwritten; its blocks stay on the disk until they are reused.
    Raises `Refused` unless the copy is a whole ledger of `agency`."""
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
