"""Tombstones as documents for --json and as lines for people."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from deploy.app.output import local_time
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.settings import Settings
from schemas.lifecycle import Side

_LEFT = "{peer} has left the register and can confirm nothing; what it keeps, its successor or the stewards must settle"


def erasure_document(left: Tombstone, believed: Collection[str]) -> dict[str, Any]:
    return {
        "id": left.key.referral_id,
        "sender": left.key.sender,
        "side": left.side,
        "peer": left.peer,
        "status": left.status,
        "reason": left.reason,
        "erased_at": left.created_at,
        "asked_at": left.asked_at if left.needs_confirmation else None,
        "confirmed_at": left.confirmed_at,
        "peer_erased_at": left.peer_erased_at,
        "peer_confirmed_at": left.peer_confirmed_at,
        "peer_refused_at": left.peer_refused_at,
        "other_left": left.peer not in believed,
    }


def erasure_sentence(
    left: Tombstone, now: datetime, settings: Settings, believed: Collection[str], troubles: Iterable[str] = ()
) -> str:
    """The sentence that says how far an erasure has come, who must act, and by when. `troubles`: what keeps events
    about it from leaving or coming in."""
    zone = settings.time_zone
    begin = f"Referral {str(left.key.referral_id)[:8]} from {left.key.sender} was erased here"
    begin += f" at {local_time(left.created_at, zone)} ({left.reason}); its last status: {left.status}"
    if not left.needs_confirmation:
        return f"{begin}; nothing is left to do."
    if _alone(left, believed):
        return f"{begin}; {_LEFT.format(peer=left.peer)}; nothing is left to do."
    waits = list(_waits_for(left, believed))
    if not waits:
        end = "confirmed by both sides" if left.peer_refused_at is None else f"{left.peer} has no such referral"
        return f"{begin}; {end}; nothing is left to do."
    due = left.asked_at + settings.unconfirmed_after
    late = f"overdue since {local_time(due, zone)}" if due < now else f"overdue from {local_time(due, zone)} on"
    known = "".join(f"; {trouble}" for trouble in troubles)
    return f"{begin}; waiting: {', and '.join(waits)}{known}; {late}."


def _alone(left: Tombstone, believed: Collection[str]) -> bool:
    """Whether the only agency that has not confirmed the erasure has left the register."""
    return left.waits_for_peer and not left.waits_for_us and left.peer not in believed


def _waits_for(left: Tombstone, believed: Collection[str]) -> Iterator[str]:
    if left.waits_for_peer and left.peer not in believed:
        yield _LEFT.format(peer=left.peer)
    elif left.waits_for_peer and left.peer_erased_at is None:
        yield f"the service of {left.peer} has not erased it yet"
    elif left.waits_for_peer:
        yield f"erased at the service of {left.peer}, whose own system has not confirmed it yet"
    if left.waits_for_us:
        yield "our own system has not taken the erasure from the inbox yet"


def erasure_lines(
    found: Iterable[Tombstone], now: datetime, settings: Settings, believed: Collection[str]
) -> Iterator[str]:
    for left in found:
        way = f"{left.peer} → us" if left.side is Side.RECIPIENT else f"us → {left.peer}"
        waits = "; ".join(_waits_for(left, believed))
        overdue = left.asked_at + settings.unconfirmed_after < now and not _alone(left, believed)
        late = "  OVERDUE" if overdue else ""
        when = local_time(left.created_at, settings.time_zone)
        yield f"{str(left.key.referral_id)[:8]}  {way:<28}  {left.reason}  {when}  {waits}{late}"
