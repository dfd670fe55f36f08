"""Files of a home: for their owner only, and on the disk when a function says so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private() -> Iterator[None]:
    """What is made meanwhile can be read by its owner only. The command sets this for its whole life."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def write_through(path: Path, content: bytes) -> None:
    """Writes a file and has the disk take it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Or a power cut brings the old names back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
