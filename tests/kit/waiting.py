"""Waiting on conditions, not on seconds."""

import os
import time
from collections.abc import Callable

PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", "100"))
"""For what takes moments on an idle machine: only what hangs takes this long, however busy the machine is. The run that
takes guards away, where many tests hang, waits for a shorter time."""

BUSY = 5
"""How many times as long it takes at most, on a machine that is four times overbooked, what waits for most of its time:
for bounds that must stay below the time of something worse than slow."""


def wait_until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Fails when the condition has not come true in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
