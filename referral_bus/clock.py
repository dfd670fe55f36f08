"""The clock, which callers pass in, so that tests and demonstrations can set the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present time in UTC, rounded down to the millisecond, which is the precision of records and of the ledger."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
