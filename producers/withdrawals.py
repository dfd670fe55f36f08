"""Withdrawing: the person has taken back the consent, or the referral should never have been sent."""

from referral_bus.errors import Reason, Refused
from referral_bus.ledger import erasures
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.resolve import check_whole, the_referral_or_its_tombstone
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.ledger.tombstones import Tombstone
from schemas.lifecycle import ErasureReason, Side


def withdraw(ledger: Ledger, referral_id: str, reason: ErasureReason, writing: Writing) -> Tombstone:
    """Erases a referral in this ledger, at once and whatever its status, and asks the other side to erase it. A second
    call changes nothing. Raises `Refused` where the id is not whole or not known, and for *entered in error* by the
    recipient: only the sender can say that."""
    with ledger.write() as tx:
        about = to_withdraw(tx, referral_id, reason)
        return erasures.ask(tx, about.key, about.side, about.peer, reason, writing)


def to_withdraw(tx: Tx, referral_id: str, reason: ErasureReason) -> Referral | Tombstone:
    """The referral, or its tombstone, that `withdraw` would erase. Changes nothing; raises the same."""
    check_whole(referral_id)
    about = the_referral_or_its_tombstone(tx, referral_id)
    if reason is ErasureReason.ENTERED_IN_ERROR and about.side is not Side.SENDER:
        advice = "only the sender can say so; the recipient can withdraw"
        raise Refused(Reason.TRANSITION_REFUSED, advice, "entered-in-error")
    return about
