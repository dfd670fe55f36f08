"""Whether an agency is silent, for how it is connected. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from referral_bus.federation.register_models import Agency
from referral_bus.silence import SILENT_AFTER

MISSED_HEARTBEATS = 3
CLOCK_OFF = timedelta(minutes=5)


class PresenceCode(StrEnum):
    """How an agency's service is there."""

    THERE = "there"
    SILENT = "silent"
    NEVER_SEEN = "never seen"
    UNKNOWN = "not known"  # the monitor has not been reading


def silent_after(heartbeat_every: timedelta) -> Mapping[str, timedelta]:
    """By kind of connection. Who is always connected is silent after three missed heartbeats; an office that closes at
    night, and a laptop that is opened when there is something to do, have limits of their own."""
    return {**SILENT_AFTER, "always": MISSED_HEARTBEATS * heartbeat_every}


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """Since when, and up to when, the monitor itself could read without a gap; by its own clock. `until` is None where
    it has not read everything yet, `since` where there was no gap."""

    since: datetime | None
    until: datetime | None


def presence(
    agency: Agency, heard_at: datetime | None, reading: ReadSpan, limits: Mapping[str, timedelta]
) -> PresenceCode:
    """As of the time up to which the monitor has read: an agency is not silent because we did not listen. After a gap
    each has the time of some heartbeats to be heard again."""
    if reading.until is None:
        return PresenceCode.UNKNOWN
    if heard_at is not None and reading.until - heard_at <= limits[agency.connection]:
        return PresenceCode.THERE
    if reading.since is not None and reading.until - reading.since <= limits["always"]:
        return PresenceCode.UNKNOWN
    return PresenceCode.NEVER_SEEN if heard_at is None else PresenceCode.SILENT
