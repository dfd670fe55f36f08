"""Finds the referral that a caller names by its id, or by the beginning of its id. Two agencies may have used the same
id: then the sender's code stands before it, as in `family-women/3f2a91`."""

import re
from collections.abc import Sequence

from referral_bus.errors import Reason, Refused
from referral_bus.ledger import referrals, tombstones
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone


def the_referral(tx: Tx, name: str) -> Referral:
    """The referral that `name` means. Raises `Refused` if it means none, several, or an erased one."""
    found = referrals.find(tx, name)
    if not found and tombstones.find(tx, name):
        raise Refused(Reason.REFERRAL_ERASED, "this referral has been erased; `show` tells when and why", "id")
    _check_one(found)
    return found[0]


def check_whole(name: str) -> None:
    """Raises `Refused` unless `name` holds the whole id, with its sender before it or without. For actions that cannot
    be undone."""
    digits = name.rpartition("/")[2].replace("-", "")
    if not re.fullmatch(r"[0-9a-fA-F]{32}", digits):
        advice = "erasing takes the whole id, or SENDER/ID with it; `show` prints it"
        raise Refused(Reason.VALUE_REFUSED, advice, "id")


def the_referral_or_its_tombstone(tx: Tx, name: str) -> Referral | Tombstone:
    """The referral that `name` means, or its tombstone. Raises `Refused` if it means none or several."""
    found: list[Referral | Tombstone] = [*referrals.find(tx, name), *tombstones.find(tx, name)]
    _check_one(found)
    return found[0]


def _check_one(found: Sequence[Referral | Tombstone]) -> None:
    if not found:
        advice = "no referral here has this id, of six digits or more; see `inbox`, or `dead-letters list --each`"
        raise Refused(Reason.REFERRAL_UNKNOWN, advice, "id")
    if len(found) > 1:
        senders = sorted({each.key.sender for each in found})
        whose = " or ".join(f"{sender}/ID" for sender in senders)
        advice = "give the whole id" if len(senders) == 1 else f"name the sender: {whose}"
        raise Refused(Reason.REFERRAL_UNKNOWN, f"several referrals have an id that begins so; {advice}", "id")
