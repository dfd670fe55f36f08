"""Judges whether an agency is silent, by the kind of connection that the register gives it. Pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from referral_bus.federation.register_models import Agency
from referral_bus.ledger.peers import Peer

SILENT_AFTER = {
    "always": timedelta(minutes=10),  # ten heartbeats of a minute each
    "office-hours": timedelta(days=4),  # a long weekend
    "occasional": timedelta(days=21),
}


@dataclass(frozen=True, slots=True)
class Presence:
    """What this agency knows of another one's service. `heard_at` is when its last announcement came, by our clock;
    None before the first."""

    agency: Agency
    heard_at: datetime | None
    silent: bool


def presence(agency: Agency, peer: Peer | None, now: datetime) -> Presence:
    """An agency is silent when no announcement has come for longer than `SILENT_AFTER` allows its kind of
    connection. `peer` is None for an agency that the ledger does not know."""
    heard_at = peer.heard_at if peer is not None and peer.announcement is not None else None
    silent = heard_at is None or now - heard_at > SILENT_AFTER[agency.connection]
    return Presence(agency, heard_at, silent)
