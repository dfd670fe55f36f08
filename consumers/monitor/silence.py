"""Whether an agency is silent, for how it is connected. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from referral_bus.federation.register_models import Agency
from referral_bus.silence import SILENT_AFTER

MISSED_HEARTBEATS = 3
CLOCK_OFF = timedelta(minutes=5)


class Presence(StrEnum):
    """How an agency's service is there."""

    THERE = "there"
    SILENT = "silent"
    NEVER_SEEN = "never seen"


def silent_after(heartbeat_every: timedelta) -> Mapping[str, timedelta]:
    """By kind of connection. Who is always connected is silent after three missed heartbeats; an office that closes at
    night, and a laptop that is opened when there is something to do, have limits of their own."""
    return {**SILENT_AFTER, "always": MISSED_HEARTBEATS * heartbeat_every}


def presence(agency: Agency, heard_at: datetime | None, now: datetime, limits: Mapping[str, timedelta]) -> Presence:
    """By our own clock."""
    if heard_at is None:
        return Presence.NEVER_SEEN
    return Presence.SILENT if now - heard_at > limits[agency.connection] else Presence.THERE
