"""The places in a referral's order that another agency has used, as far as it is believed."""

from collections.abc import Callable
from dataclasses import dataclass

from referral_bus.ledger import referrals
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import NOWHERE, Place, ReferralKey

Believes = Callable[[str], bool]
"""Whether what a signing key of this id has said still counts; see `Register.believes`."""


@dataclass(frozen=True, slots=True)
class Places:
    """`held` is the last place that is believed: it keeps out what is not above it. `reached` is the place up to which
    an event can follow. They differ only where the last word was said under a key that is revoked, so that the next
    one corrects it: a place of that key keeps nothing out, but can be followed, since its agency may have used it."""

    held: Place
    reached: Place
    corrects: bool = False


def places_of(tx: Tx, referral: ReferralKey, writer: str, follows: Place, believes: Believes) -> Places:
    """As an event meets them that follows `follows`."""
    last, key_id = referrals.place_said(tx, referral, writer)
    if key_id is None or believes(key_id):
        return Places(last, last)
    used = referrals.places_used(tx, referral, writer)
    held = next((place for place, said_by in used if believes(said_by)), NOWHERE)
    before = next((place for place, _ in used if place <= follows), NOWHERE)
    return Places(held, max(held, before), corrects=True)


def place_taken(left: Tombstone | None, believes: Believes) -> Place:
    """The place of the peer's last word that a tombstone has taken, if that is believed."""
    if left is None or left.status_key_id is None or not believes(left.status_key_id):
        return NOWHERE
    return left.status_place
