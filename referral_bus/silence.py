"""Whether an agency is silent, for how it is connected. Pure."""

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
    """What we know of an agency's service. `heard_at` is by our clock, None when we never heard it."""

    agency: Agency
    heard_at: datetime | None
    silent: bool


def presence(agency: Agency, peer: Peer | None, now: datetime) -> Presence:
    """An agency is silent when nothing was heard for longer than its kind of connection explains."""
    heard_at = peer.heard_at if peer is not None and peer.announcement is not None else None
    silent = heard_at is None or now - heard_at > SILENT_AFTER[agency.connection]
    return Presence(agency, heard_at, silent)
