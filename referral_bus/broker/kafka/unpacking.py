"""Which packed batch each reader is at, in a file that outlives the process: a batch at which the process ended (killed
for memory, a crash in a library) is passed over after the next start, and never unpacked again.

The file holds digests, 16 bytes each: one place for each reader, then the newest batches that have ended a process. It
is written without a sync, since it is there for the end of a process, not for that of a machine. A kill that merely
falls into these microseconds has a sound batch passed over; nothing is lost by it, its writer has no receipt."""

import hashlib
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

DIGEST_BYTES = 16
READERS = 16
REMEMBERED = 240
_NONE = bytes(DIGEST_BYTES)
_FILE_BYTES = (READERS + REMEMBERED) * DIGEST_BYTES


class BatchEndedUs(Exception):
    """This batch was being unpacked when an earlier process ended."""


class Unpacking:
    """One process' file. Without a path nothing outlives the process. Safe to use from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._free = list(reversed(range(READERS)))
        self._file: int | None = None
        self._ended_us: list[bytes] = []
        if path is not None:
            self._open(path)

    def place(self) -> "UnpackingPlace":
        """For one reader, until it is released. Readers beyond `READERS` have none, and unpack all the same."""
        with self._lock:
            return UnpackingPlace(self, self._free.pop() if self._free else None)

    def ended_us(self, digest: bytes) -> bool:
        return digest in self._ended_us

    def write(self, number: int, digest: bytes | None) -> None:
        """A disk that fails must not keep us from reading."""
        if self._file is not None:
            with suppress(OSError):
                os.pwrite(self._file, digest or _NONE, number * DIGEST_BYTES)

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
        found = [content[start : start + DIGEST_BYTES] for start in range(0, len(content), DIGEST_BYTES)]
        known = dict.fromkeys(digest for digest in found if digest != _NONE and len(digest) == DIGEST_BYTES)
        self._ended_us = list(known)[:REMEMBERED]  # those of the last process come first
        for number in range(READERS + REMEMBERED):
            remembered = number - READERS
            self.write(number, self._ended_us[remembered] if 0 <= remembered < len(self._ended_us) else None)


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

    def end(self) -> None:
        if self._at is not None:
            self._note(None)

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
