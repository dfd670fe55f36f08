"""Which places in a referral's order another agency has used. Words under a signing key that was revoked do not count
as used."""

from collections.abc import Callable
from dataclasses import dataclass

from referral_bus.ledger import referrals
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import NOWHERE, Place, ReferralKey

Believes = Callable[[str], bool]
"""Given the id of a signing key: whether what was signed with it still counts. See `Register.believes`."""


@dataclass(frozen=True, slots=True)
class Places:
    """`held` is the last place used under a key that is still believed: an event at or below it is refused. `reached`
    is the highest place that an arriving event may name in `follows`. The two differ only where the last word was
    signed with a key that is revoked since: the place of such a word refuses no event, yet an event may follow it,
    since its agency did use it. Then `corrects` is true, and the arriving event replaces what that key said."""

    held: Place
    reached: Place
    corrects: bool = False


def places_of(tx: Tx, referral: ReferralKey, writer: str, follows: Place, believes: Believes) -> Places:
    """The places of `writer` in a referral, for an arriving event of this writer whose predecessor is `follows`."""
    last, key_id = referrals.place_said(tx, referral, writer)
    if key_id is None or believes(key_id):
        return Places(last, last)
    used = referrals.places_used(tx, referral, writer)
    held = next((place for place, said_by in used if believes(said_by)), NOWHERE)
    before = next((place for place, _ in used if place <= follows), NOWHERE)
    return Places(held, max(held, before), corrects=True)


def place_taken(left: Tombstone | None, believes: Believes) -> Place:
    """The place of the peer's last word that a tombstone records; NOWHERE if there is none, or if the key that signed
    that word is no longer believed."""
    if left is None or left.status_key_id is None or not believes(left.status_key_id):
        return NOWHERE
    return left.status_place
