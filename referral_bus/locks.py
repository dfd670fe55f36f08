"""Folders to lock with flock(2): one process at a time works there. The lock goes with the process that took it.

A lock belongs to the open file, which a forked child shares: a child that outlives us would hold it on. So every child
closes what we have open here, as the first thing it does.
"""

import os
from pathlib import Path
from threading import Lock

_changing = Lock()  # held over a fork, so that the child finds the set as it is
_open: set[int] = set()


def open_folder(folder: Path) -> int:
    """A descriptor of the folder, to lock. Raises `OSError`."""
    with _changing:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        _open.add(descriptor)
    return descriptor


def close_folder(descriptor: int) -> None:
    """Lets go of its lock. In a forked child it is closed already, and its number may be another file's."""
    with _changing:
        if descriptor in _open:
            _open.remove(descriptor)
            os.close(descriptor)


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()
    _changing.release()


os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_in_child)
