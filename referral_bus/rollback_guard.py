"""What an agency's home remembers outside every backup of its ledger, so that a restored ledger can be told from the
one that was lost, and brings nothing back that was erased.

outside-backups/high-water.json     incarnation and audit count that the outside has seen: no ledger may be behind it
outside-backups/heard.json           as far as others have heard announcements of us that this home did not make
outside-backups/tombstones.jsonl    every tombstone in the order of its revisions, one a line, only ever added to

Both are brought up to date before anything leaves, and before an erasure is acknowledged to whoever asked for it.
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
    """How far the ledger had come when something last left it; a higher incarnation counts its audit anew."""

    incarnation: int
    audit_count: int
    key_id: str = field(default="", compare=False)  # the signing key that announced it; "" for our own mark


Believed = Callable[[str], bool]
"""Whether what our signing key of this id has announced still counts; see `Register.believes`."""
LOWEST = HighWater(1, 0)


def every_key(_key_id: str) -> bool:
    return True


_LONGEST_LINE = 4096  # bytes; ten times what a line takes
_LINE = Bounds(size=_LONGEST_LINE, depth=2, values=100)


class RollbackGuard:
    """One home's folder for it. Safe for the service and commands side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "tombstones.jsonl"
        self.writable = True  # as far as the last try has shown
        self._written: tuple[HighWater, int] | None = None  # what this process knows to be on the disk

    def high_water(self) -> HighWater:
        return self._mark("high-water.json")

    def mark(self, believed: Believed = every_key) -> HighWater:
        """The highest of our own mark and of what others have heard of us, under a key that counts."""
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
        """Others have heard this much of us. Raises `Refused` if the ledger knows less; every later start does, too,
        until the key that announced it is revoked."""
        if announced > self.mark(believed):
            with _writing(self.folder):
                self._save("heard.json", announced)
        self.refuse_if_behind(ledger, believed)

    def refuse_if_behind(self, ledger: Ledger, believed: Believed = every_key) -> None:
        """A ledger that is older than what has left it would say other things under the same places."""
        with ledger.read() as tx:
            here = HighWater(own_incarnation(tx), audit.end(tx).count)
        if here < self.mark(believed):
            advice = "this ledger is older than what was sent from it; see `referral-bus agency restored --from`"
            raise LedgerUnusable(Reason.LEDGER_BEHIND, advice, "ledger")

    def keep_up(self, ledger: Ledger) -> None:
        """Durable when it returns: the marks stand at least where the ledger stands."""
        with ledger.read() as tx:
            here = HighWater(own_incarnation(tx), audit.end(tx).count)
            newest = tombstones.newest_revision(tx)
        if self._written == (here, newest):
            return
        self.writable = False
        with _writing(self.folder):
            self._raise(here)  # first: a ledger that lacks what the journal has must never be taken for the newest
            self._add(ledger, newest)
        self.writable, self._written = True, (here, newest)

    def raise_to(self, mark: HighWater) -> None:
        """Before a ledger is restored."""
        with _writing(self.folder):
            self._raise(mark)

    def journal(self) -> list[Tombstone]:
        """The newest word about every erased referral, in the order of their revisions."""
        newest: dict[ReferralKey, Tombstone] = {}
        for line in self._whole_lines():
            left = self._read(line)
            newest[left.key] = left
        return sorted(newest.values(), key=lambda left: left.revision)

    def _whole_lines(self) -> Iterator[bytes]:
        """A crash may have left the beginning of a line, which nobody had been told of."""
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
        """Adds what the journal lacks, after its last whole line."""
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
    """Whoever uses the Python interface may have any umask."""
    return os.open(path, flags, 0o600)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """One process at a time; a full disk is something to wait for."""
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
    """Raises `TypeError` or `ValueError` for anything else."""
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
