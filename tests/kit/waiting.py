"""Waiting on conditions, not on seconds."""

import os
import time
from collections.abc import Callable

PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", "100"))
"""For what takes moments on an idle machine: only what hangs takes this long, however busy the machine is. The run that
takes guards away, where many tests hang, waits for a shorter time."""


def wait_until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Fails when the condition has not come true in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
