"""Files of a home that no backup of its ledger holds, so that the service can tell a restored ledger from the lost one,
and so that a restore brings back nothing that was erased.

outside-backups/high-water.json     highest incarnation and audit count that left this home: no ledger may be below it
outside-backups/heard.json          the same, from announcements under our key that others have heard and this home has
                                    not made
outside-backups/tombstones.jsonl    every tombstone in the order of its revisions, one a line, append-only

The service writes the first and the last before any record leaves, and before it acknowledges an erasure.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from referral_bus.errors import LedgerUnusable, Reason
from referral_bus.files import read_own, trouble
from referral_bus.ledger import audit, tombstones
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.store import Ledger
from referral_bus.ledger.tombstones import KEY_IDS, MOMENTS, Tombstone
from referral_bus.locks import close_folder, open_folder
from schemas.bounded_json import SMALL_FILE, Bounds, load_json
from schemas.events import Place, ReferralKey
from schemas.lifecycle import ErasureReason, Side, Status


@dataclass(frozen=True, slots=True, order=True)
class HighWater:
    """How far a ledger had come when a record last left it. Marks compare by incarnation, then by audit count."""

    incarnation: int
    audit_count: int
    key_id: str = field(default="", compare=False)  # the signing key that announced it; "" for our own mark


Believed = Callable[[str], bool]
"""Whether announcements under our signing key with this id still count; see `Register.believes`."""
LOWEST = HighWater(1, 0)


def every_key(_key_id: str) -> bool:
    """A `Believed` that accepts every key."""
    return True


_LONGEST_LINE = 4096  # bytes; ten times what a line takes
_LINE = Bounds(size=_LONGEST_LINE, depth=2, values=100)


class RollbackGuard:
    """The folder `outside-backups` of one home. The service and commands may use it at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "tombstones.jsonl"
        self.writable = True  # whether the last write succeeded
        self._written: tuple[HighWater, int] | None = None  # mark and newest revision that this process has written

    def high_water(self) -> HighWater:
        return self._mark("high-water.json")

    def mark(self, believed: Believed = every_key) -> HighWater:
        """The higher one of our own mark and the mark that others have heard, if `believed` accepts the latter's key.
        Raises `LedgerUnusable` for a damaged file, `Unreachable` for one that cannot be read."""
        heard = self._mark("heard.json")
        return max(self.high_water(), heard if heard != LOWEST and believed(heard.key_id) else LOWEST)

    def _mark(self, name: str) -> HighWater:
        path = self.folder / name
        try:
            return _high_water(load_json(read_own(path), SMALL_FILE))
        except FileNotFoundError:
            return LOWEST
        except (ValueError, TypeError):
            raise _damaged(path) from None

    def heard(self, ledger: Ledger, announced: HighWater, believed: Believed = every_key) -> None:
        """Notes that others have heard the mark `announced` of us. Raises `LedgerUnusable` if the ledger is below it;
        every later start raises it, too, until the key that announced it is revoked."""
        if announced > self.mark(believed):
            with _writing(self.folder):
                self._save("heard.json", announced)
        self.refuse_if_behind(ledger, believed)

    def refuse_if_behind(self, ledger: Ledger, believed: Believed = every_key) -> None:
        """Raises `LedgerUnusable` for a ledger below the mark: it would use places again that sent events have
        used."""
        with ledger.read() as tx:
            here = HighWater(own_incarnation(tx), audit.end(tx).count)
        if here < self.mark(believed):
            advice = "this ledger is older than what was sent from it; see `referral-bus agency restored --from`"
            raise LedgerUnusable(Reason.LEDGER_BEHIND, advice, "ledger")

    def keep_up(self, ledger: Ledger) -> None:
        """Brings the mark and the journal up to the ledger's state; both are on the disk when this returns. Raises
        `Unreachable` while the disk is full or fails."""
        with ledger.read() as tx:
            here = HighWater(own_incarnation(tx), audit.end(tx).count)
            newest = tombstones.newest_revision(tx)
        if self._written == (here, newest):
            return
        self.writable = False
        with _writing(self.folder):
            self._raise(here)  # first: a ledger that lacks a tombstone of the journal must be below the mark
            self._add(ledger, newest)
        self.writable, self._written = True, (here, newest)

    def raise_to(self, mark: HighWater) -> None:
        """Raises our own mark to `mark`, unless it is higher: called before a ledger is restored."""
        with _writing(self.folder):
            self._raise(mark)

    def journal(self) -> list[Tombstone]:
        """The newest tombstone of every erased referral, in the order of their revisions."""
        newest: dict[ReferralKey, Tombstone] = {}
        for line in self._whole_lines():
            left = self._read(line)
            newest[left.key] = left
        return sorted(newest.values(), key=lambda left: left.revision)

    def _whole_lines(self) -> Iterator[bytes]:
        """The complete lines of the journal. Leaves out a last line without its end: the process ended while it wrote
        the line, so nothing has left the home since."""
        try:
            with self._journal.open("rb") as file:
                while line := file.readline(_LONGEST_LINE + 1):
                    if len(line) > _LONGEST_LINE:
                        raise _damaged(self._journal)
                    if line.endswith(b"\n"):
                        yield line
        except FileNotFoundError:
            return
        except OSError as error:
            raise trouble(error, self._journal, self._journal.name) from None

    def _read(self, line: bytes) -> Tombstone:
        try:
            return _tombstone(load_json(line, _LINE))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _damaged(self._journal) from None

    def _add(self, ledger: Ledger, newest: int) -> None:
        """Appends the tombstones that the journal lacks, in place of an incomplete last line."""
        with open(self._journal, "a+b", opener=_for_its_owner) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LONGEST_LINE))
            tail = file.read()
            whole = tail[: tail.rfind(b"\n") + 1]
            if size > len(tail) and not whole:
                raise _damaged(self._journal)
            last = self._read(whole.splitlines()[-1]).revision if whole else 0
            if last >= newest:
                return
            file.truncate(size - len(tail) + len(whole))
            with ledger.read() as tx:
                for left in tombstones.changed_since(tx, last):
                    file.write(json.dumps(_document(left)).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _raise(self, mark: HighWater) -> None:
        if mark <= self.high_water():
            return
        self._save("high-water.json", mark)

    def _save(self, name: str, mark: HighWater) -> None:
        partial = self.folder / f".{name}.new"
        with open(partial, "w", encoding="ascii", opener=_for_its_owner) as file:
            file.write(json.dumps(asdict(mark)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.folder / name)


def _damaged(path: Path) -> LedgerUnusable:
    return LedgerUnusable(Reason.HOME_INVALID, "this file is damaged; see docs/operate.md", path.name)


def _for_its_owner(path: str, flags: int) -> int:
    """Opens a file that only its owner can read, whatever umask the process of a Python caller has."""
    return os.open(path, flags, 0o600)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Lets one process at a time write. Raises `Unreachable` for a full or failing disk."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = open_folder(folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        finally:
            close_folder(descriptor)
    except OSError as error:
        raise trouble(error, folder, folder.name, "written") from None


def _high_water(document: Any) -> HighWater:
    """The mark in a parsed file. Raises `TypeError` or `ValueError` for any other content."""
    mark = HighWater(**document)
    if not (type(mark.incarnation) is type(mark.audit_count) is int and isinstance(mark.key_id, str)):
        raise ValueError("no mark")
    return mark


def _document(left: Tombstone) -> dict[str, Any]:
    plain = ("side", "peer", "status", "reason", "asked_by_us", "asked_by_peer", "status_place", "revision", *KEY_IDS)
    document: dict[str, Any] = {"sender": left.key.sender, "referral": str(left.key.referral_id)}
    document |= {name: getattr(left, name) for name in plain}
    moments = {name: getattr(left, name) for name in MOMENTS}
    return document | {name: moment and moment.isoformat() for name, moment in moments.items()}


def _tombstone(document: dict[str, Any]) -> Tombstone:
    moments: dict[str, Any] = {
        name: document[name] and datetime.fromisoformat(document[name]).astimezone(UTC) for name in MOMENTS
    }
    return Tombstone(
        key=ReferralKey(document["sender"], UUID(document["referral"])),
        side=Side(document["side"]),
        peer=document["peer"],
        status=Status(document["status"]),
        reason=ErasureReason(document["reason"]),
        asked_by_us=document["asked_by_us"],
        asked_by_peer=document["asked_by_peer"],
        status_place=Place(*document["status_place"]),
        revision=document["revision"],
        **moments,
        **{name: document[name] for name in KEY_IDS},
    )
