"""Waiting on conditions, not on seconds."""

import time
from collections.abc import Callable

PATIENCE_S = 100.0
"""For what takes moments on an idle machine. So long takes only what hangs, however busy the machine is."""


def wait_until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Fails when the condition has not come true in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
