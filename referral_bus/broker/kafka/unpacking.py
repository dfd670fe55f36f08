"""Notes in a file, which outlives the process, the packed batch that each reader is unpacking. After `ENDS` processes
have ended at a batch (killed for memory, or by a crash in a library), the next process passes over it.

A kill that happens to fall into the microseconds of unpacking does not prove a batch to be harmful. So one end is not
enough, a batch that was unpacked completely is forgotten, and a later process tries a batch once more that an earlier
one has passed over: a topic that is read from its beginning at each start may hold nothing newer than that batch.

An entry of the file is a batch's digest and the number of processes that ended at it. The first `READERS` entries are
those of the readers, the others the batches that are remembered. The file is written without fsync: it must survive the
end of the process, not that of the machine."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

DIGEST_BYTES = 16
READERS = 16
REMEMBERED = 240
ENDS = 3
"""A batch is passed over after so many processes have ended at it, if none of them has unpacked it."""

LIVED_S = 600.0
"""After a process has lived for so long, the next one tries again the batches that were passed over. With a shorter
time several harmful batches would be tried in turn, each would end a process, and no process would get beyond them."""

_NONE = bytes(DIGEST_BYTES)
_ENTRY_BYTES = DIGEST_BYTES + 1
_FILE_BYTES = (READERS + REMEMBERED) * _ENTRY_BYTES


class BatchEndedUs(Exception):
    """`ENDS` earlier processes have ended while they unpacked this batch."""


class Unpacking:
    """The file of one process. Only the process that holds the home's lock may open it, and once: opening takes the
    readers' entries for those of a process that has ended. Without a path the notes end with the process. Safe to use
    from several threads. `seconds` is a clock that only goes forward."""

    def __init__(self, path: Path | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._tried_again_at = seconds() + LIVED_S
        self._free = list(reversed(range(READERS)))
        self._file: int | None = None
        self._ends: dict[bytes, int] = {}
        self._entries: dict[bytes, int] = {}  # the number of each one's entry in the file
        if path is not None:
            self._open(path)

    def place(self) -> "UnpackingPlace":
        """A place in the file for one reader, until the reader releases it. A reader beyond `READERS` gets a place
        without an entry, and unpacks without being noted."""
        with self._lock:
            return UnpackingPlace(self, self._free.pop() if self._free else None)

    def ended_us(self, digest: bytes) -> bool:
        """Whether a batch is to be passed over."""
        return self._ends.get(digest, 0) >= ENDS

    def unpacked(self, digest: bytes) -> None:
        """A reader has unpacked this batch completely: forgets the ends of processes at it."""
        if digest not in self._ends:
            return
        with self._lock:
            if self._ends.pop(digest, None) is not None:
                self.write(self._entries.pop(digest), None)

    def let_try_again(self) -> None:
        """Once this process has lived for `LIVED_S`, lowers the count of each batch that is passed over by one, so that
        the next process tries it again."""
        if self._seconds() < self._tried_again_at:
            return
        with self._lock:
            self._tried_again_at = float("inf")
            for digest, ends in self._ends.items():
                self.write(self._entries[digest], digest, min(ends, ENDS - 1))

    def write(self, number: int, digest: bytes | None, ends: int = 0) -> None:
        """Writes one entry; an empty one for None. Ignores errors of the disk, which must not stop the readers."""
        if self._file is not None:
            with suppress(OSError):
                os.pwrite(self._file, (digest or _NONE) + bytes([ends]), number * _ENTRY_BYTES)

    def release(self, number: int) -> None:
        self.write(number, None)
        with self._lock:
            self._free.append(number)

    def _open(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            content = os.pread(self._file, _FILE_BYTES, 0)
        except OSError:
            log.warning("the file of batches being unpacked cannot be written")
            return
        self._ends = _ends_in(content)
        self._entries = {digest: READERS + number for number, digest in enumerate(self._ends)}
        for number in range(READERS + REMEMBERED):
            self.write(number, None)
        for digest, number in self._entries.items():
            self.write(number, digest, self._ends[digest])


def _ends_in(content: bytes) -> dict[bytes, int]:
    """The counts in the file's content, with the end of the last process added. The batches that it was unpacking come
    first; beyond `REMEMBERED` the oldest are dropped."""
    entries = [content[start : start + _ENTRY_BYTES] for start in range(0, len(content), _ENTRY_BYTES)]
    known = [(each[:DIGEST_BYTES], each[DIGEST_BYTES]) for each in entries if len(each) == _ENTRY_BYTES]
    now = dict.fromkeys(digest for digest, _ in known[:READERS])
    before = dict(known[READERS:])
    ends = {digest: min(before.get(digest, 0) + (digest in now), ENDS) for digest in (*now, *before) if digest != _NONE}
    return dict(list(ends.items())[:REMEMBERED])


class UnpackingPlace:
    """Notes what one reader is unpacking. Used by that reader's thread only."""

    def __init__(self, unpacking: Unpacking, number: int | None) -> None:
        self._unpacking = unpacking
        self._number = number
        self._at: bytes | None = None

    def begin(self, digest: bytes) -> None:
        """Called before each step of unpacking a batch. Raises `BatchEndedUs` for a batch that is to be passed over."""
        if digest == self._at:
            return
        if self._unpacking.ended_us(digest):
            raise BatchEndedUs
        self._note(digest)

    def unpacked(self, digest: bytes) -> None:
        """Called once the last record of a batch is read."""
        self._unpacking.unpacked(digest)

    def end(self) -> None:
        """Called after each step of unpacking."""
        if self._at is not None:
            self._note(None)
        self._unpacking.let_try_again()

    def _note(self, digest: bytes | None) -> None:
        self._at = digest
        if self._number is not None:
            self._unpacking.write(self._number, digest)

    def release(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._unpacking.release(number)


def digest_of(topic: str, partition: int, offset: int, checksum: int) -> bytes:
    """The digest of a batch: `DIGEST_BYTES` bytes of SHA-256 over its topic, partition, base offset and checksum."""
    return hashlib.sha256(f"{topic}\n{partition}\n{offset}\n{checksum}".encode()).digest()[:DIGEST_BYTES]
