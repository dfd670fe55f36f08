"""When an answer is due, from the priority, unless the sender says otherwise."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

ACKNOWLEDGE_WITHIN = MappingProxyType({"stat": 4 * _HOUR, "urgent": 24 * _HOUR, "routine": 3 * _DAY})
RESPOND_WITHIN = MappingProxyType({"stat": 24 * _HOUR, "urgent": 72 * _HOUR, "routine": 14 * _DAY})


def acknowledge_by(priority: str, now: datetime) -> datetime:
    """When the first word of the recipient is due."""
    return now + ACKNOWLEDGE_WITHIN[priority]


def respond_by(priority: str, now: datetime) -> datetime:
    """When accepted, rejected or any end is due."""
    return now + RESPOND_WITHIN[priority]


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines beside those that a referral carries: how long a question or a cancellation request may wait, and how
    long an open referral may rest without a word."""

    unanswered: timedelta = 72 * _HOUR
    idle: timedelta = 30 * _DAY


DEFAULT_LIMITS = Limits()
