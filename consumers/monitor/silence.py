"""Judges whether an agency is silent, by its kind of connection. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from referral_bus.federation.register_models import Agency
from referral_bus.silence import SILENT_AFTER

MISSED_HEARTBEATS = 3
CLOCK_OFF = timedelta(minutes=5)


class PresenceCode(StrEnum):
    """Whether an agency's service is heard."""

    THERE = "there"
    SILENT = "silent"
    NEVER_SEEN = "never seen"
    UNKNOWN = "not known"  # the monitor has not been reading


def silent_after(heartbeat_every: timedelta) -> Mapping[str, timedelta]:
    """After how long without an announcement an agency counts as silent, by kind of connection: `always` after three
    missed heartbeats. Offices that close at night, and laptops that are used now and then, have the longer limits of
    `SILENT_AFTER`."""
    return {**SILENT_AFTER, "always": MISSED_HEARTBEATS * heartbeat_every}


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """The time in which the monitor itself read without a gap, by its own clock. `until` is None before it has read
    everything for the first time, `since` where there never was a gap."""

    since: datetime | None
    until: datetime | None


def presence(
    agency: Agency, heard_at: datetime | None, reading: ReadSpan, limits: Mapping[str, timedelta]
) -> PresenceCode:
    """Whether an agency is silent, as of the time up to which the monitor has read: a time in which the monitor did not
    read is not held against the agency. After a gap each agency gets the time of some heartbeats to be heard again."""
    if reading.until is None:
        return PresenceCode.UNKNOWN
    if heard_at is not None and reading.until - heard_at <= limits[agency.connection]:
        return PresenceCode.THERE
    if reading.since is not None and reading.until - reading.since <= limits["always"]:
        return PresenceCode.UNKNOWN
    return PresenceCode.NEVER_SEEN if heard_at is None else PresenceCode.SILENT
