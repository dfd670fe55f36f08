"""Opens folders to lock with flock(2), so that one process at a time works in them. A lock ends with its process.

A lock belongs to the open file, which a forked child shares: a child that outlives its parent would keep the lock. So
every forked child closes these descriptors first.
"""

import os
from pathlib import Path
from threading import Lock

_changing = Lock()  # held during a fork, so that no thread changes the set while it is copied
_open: set[int] = set()


def open_folder(folder: Path) -> int:
    """A descriptor of the folder, for `fcntl.flock`. Raises `OSError`."""
    with _changing:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        _open.add(descriptor)
    return descriptor


def close_folder(descriptor: int) -> None:
    """Closes the descriptor, which releases its lock. Does nothing in a forked child, where it is closed already and
    its number may be another file's."""
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
