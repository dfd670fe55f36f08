"""The deadlines that a referral gets from its priority, unless its sender sets others (docs/integrate.md)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

ACKNOWLEDGE_WITHIN = MappingProxyType({"stat": 4 * _HOUR, "urgent": 24 * _HOUR, "routine": 3 * _DAY})
RESPOND_WITHIN = MappingProxyType({"stat": 24 * _HOUR, "urgent": 72 * _HOUR, "routine": 14 * _DAY})


def acknowledge_by(priority: str, now: datetime) -> datetime:
    """When the recipient's first event about a referral is due."""
    return now + ACKNOWLEDGE_WITHIN[priority]


def respond_by(priority: str, now: datetime) -> datetime:
    """When the recipient's answer is due: accepted, rejected or any end."""
    return now + RESPOND_WITHIN[priority]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that an agency sets for itself: how long a question or a cancellation request may wait for its answer, and
    how long an open referral may go without an event."""

    unanswered: timedelta = 72 * _HOUR
    idle: timedelta = 30 * _DAY


DEFAULT_LIMITS = Limits()
