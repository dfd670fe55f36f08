"""Which packed batch each reader is at, in a file that outlives the process: a batch at which the process has ended
`ENDS` times (killed for memory, a crash in a library) is passed over by the next process, and not unpacked again.

A kill that merely falls into these microseconds says nothing against a batch. So one end is not enough, a batch that is
unpacked to its end is forgotten, and a batch that is passed over is tried once more by a later process: a topic that is
read from its beginning at each start may hold nothing newer than that batch.

The file holds entries of a digest and how often the process ended at it: one for each reader, then those that are
remembered. It is written without a sync, since it is there for the end of a process, not for that of a machine."""

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
"""So many ends of the process at one batch, and none at which it was unpacked, have it passed over."""

LIVED_S = 600.0
"""A process that lives for so long has the next one try again what it has passed over. Sooner, batches that do end the
process would take turns in being tried, and the process would never get beyond them."""

_NONE = bytes(DIGEST_BYTES)
_ENTRY_BYTES = DIGEST_BYTES + 1
_FILE_BYTES = (READERS + REMEMBERED) * _ENTRY_BYTES


class BatchEndedUs(Exception):
    """This batch was being unpacked each time that an earlier process ended."""


class Unpacking:
    """One process' file: opened once, by the process that holds the home's lock, since opening it takes the marks of
    readers for those of a process that has ended. Without a path nothing outlives the process. Safe to use from several
    threads. `seconds` is a clock that only goes forward."""

    def __init__(self, path: Path | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._tried_again_at = seconds() + LIVED_S
        self._free = list(reversed(range(READERS)))
        self._file: int | None = None
        self._ends: dict[bytes, int] = {}
        self._entries: dict[bytes, int] = {}  # where in the file those stand
        if path is not None:
            self._open(path)

    def place(self) -> "UnpackingPlace":
        """For one reader, until it is released. Readers beyond `READERS` have none, and unpack all the same."""
        with self._lock:
            return UnpackingPlace(self, self._free.pop() if self._free else None)

    def ended_us(self, digest: bytes) -> bool:
        return self._ends.get(digest, 0) >= ENDS

    def unpacked(self, digest: bytes) -> None:
        """To its end, so that nothing is held against it any more."""
        if digest not in self._ends:
            return
        with self._lock:
            if self._ends.pop(digest, None) is not None:
                self.write(self._entries.pop(digest), None)

    def let_try_again(self) -> None:
        """Once this process has lived for `LIVED_S`: what it has passed over is unpacked by the next process, until one
        more end says otherwise."""
        if self._seconds() < self._tried_again_at:
            return
        with self._lock:
            self._tried_again_at = float("inf")
            for digest, ends in self._ends.items():
                self.write(self._entries[digest], digest, min(ends, ENDS - 1))

    def write(self, number: int, digest: bytes | None, ends: int = 0) -> None:
        """A disk that fails must not keep us from reading."""
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
            log.warning("it cannot be kept which batches are being unpacked")
            return
        self._ends = _ends_in(content)
        self._entries = {digest: READERS + number for number, digest in enumerate(self._ends)}
        for number in range(READERS + REMEMBERED):
            self.write(number, None)
        for digest, number in self._entries.items():
            self.write(number, digest, self._ends[digest])


def _ends_in(content: bytes) -> dict[bytes, int]:
    """With the end of the last process, whose batches come first: the oldest are forgotten."""
    entries = [content[start : start + _ENTRY_BYTES] for start in range(0, len(content), _ENTRY_BYTES)]
    known = [(each[:DIGEST_BYTES], each[DIGEST_BYTES]) for each in entries if len(each) == _ENTRY_BYTES]
    now = dict.fromkeys(digest for digest, _ in known[:READERS])
    before = dict(known[READERS:])
    ends = {digest: min(before.get(digest, 0) + (digest in now), ENDS) for digest in (*now, *before) if digest != _NONE}
    return dict(list(ends.items())[:REMEMBERED])


class UnpackingPlace:
    """Used by one reader's thread."""

    def __init__(self, unpacking: Unpacking, number: int | None) -> None:
        self._unpacking = unpacking
        self._number = number
        self._at: bytes | None = None

    def begin(self, digest: bytes) -> None:
        """Before each step into a batch. Raises `BatchEndedUs` where it must not be unpacked again."""
        if digest == self._at:
            return
        if self._unpacking.ended_us(digest):
            raise BatchEndedUs
        self._note(digest)

    def unpacked(self, digest: bytes) -> None:
        """To its end: the last of its records is read."""
        self._unpacking.unpacked(digest)

    def end(self) -> None:
        """After each step."""
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
    """Of one batch."""
    return hashlib.sha256(f"{topic}\n{partition}\n{offset}\n{checksum}".encode()).digest()[:DIGEST_BYTES]
