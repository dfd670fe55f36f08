"""What people at an agency do, and its own system."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from consumers.agency.maintenance import scrub
from referral_bus.errors import Refused
from referral_bus.ledger import referrals
from referral_bus.ledger.own_events import NewReferral, write_referral, write_word
from referral_bus.ledger.referrals import Referral
from schemas.lifecycle import MOVES, ErasureReason, Illegal, Move, judge
from schemas.personal import StatusBody
from tests.kit.people import request, request_document
from tests.property.schedules.turn import Turn, chosen

MOST_REFERRALS = 6
CONSENT = timedelta(seconds=40)  # a short one
DETAIL: Mapping[str, Any] = {
    "text": "Synthetic text.",
    "outcome": "provided",
    "outcome_reason": "other",
    "business_status": "waitlisted",
}
WRONG = StatusBody.model_construct(text="")
"""A defect of the writer's software: the contract has no empty texts."""


def refer(turn: Turn, *, brief: bool = False) -> None:
    recipient = _next_recipient(turn)
    if recipient is None:
        return
    body = request_document(recipient)["body"]
    if brief:
        body["consent"]["expires_at"] = (turn.world.bench.clock() + CONSENT).isoformat()
    with suppress(Refused):  # in the newest register the agreement has ended
        turn.station.publish(request(recipient, body=body, idempotency_key=f"case-{turn.world.started}"))


def refer_wrongly(turn: Turn) -> None:
    recipient = _next_recipient(turn)
    if recipient is None:
        return
    now, body = turn.world.bench.clock(), request(recipient).body
    backwards = NewReferral(recipient, "urgent", now + timedelta(days=2), now + timedelta(days=1), body)
    with turn.station.ledger.write() as tx:
        write_referral(tx, backwards, turn.station.writing())


def _next_recipient(turn: Turn) -> str | None:
    """Few referrals, so that most steps are about the same ones."""
    if turn.world.started >= MOST_REFERRALS:
        return None
    turn.world.started += 1
    return chosen(turn.world.others(turn.station.code), turn.x)


def say(turn: Turn) -> None:
    referral, move = _about(turn)
    if referral is None or move is None:
        return
    over = referral.consent_expires_at <= turn.world.bench.clock()
    detail = {} if over else {need: DETAIL[need] for need in move.needs}
    with suppress(Refused):  # it was never delivered, or its consent is over
        turn.station.say(move.verb, referral.key.referral_id, **detail)


def say_wrongly(turn: Turn) -> None:
    referral, move = _about(turn)
    if referral is None or move is None:
        return
    with turn.station.ledger.write() as tx:
        write_word(tx, referral, move.to or referral.status, WRONG, turn.station.writing())


def _about(turn: Turn) -> tuple[Referral | None, Move | None]:
    """A referral, and one of the moves that are legal there and then."""
    known = turn.world.known(turn.station)
    with turn.station.ledger.read() as tx:
        found = [referrals.load(tx, key) for key in known]
    referral = chosen([each for each in found if each is not None], turn.x)
    if referral is None:
        return None, None
    asked = referral.cancel_requested_at is not None
    legal = [move for move in MOVES if not isinstance(judge(move, referral.side, referral.status, asked), Illegal)]
    return referral, chosen(legal, turn.y)


def withdraw(turn: Turn, reason: ErasureReason = ErasureReason.WITHDRAWN) -> None:
    """As the command does it."""
    station = turn.station
    known = turn.world.known(station)
    if reason is ErasureReason.ENTERED_IN_ERROR:
        known = [key for key in known if key.sender == station.code]
    key = chosen(known, turn.x)
    if key is not None:
        station.withdraw(key.referral_id, reason)
        station.rollback_guard.keep_up(station.ledger)
        turn.world.promised.add((station.code, key))
        scrub(station.ledger, station.writing())


def entered_in_error(turn: Turn) -> None:
    withdraw(turn, ErasureReason.ENTERED_IN_ERROR)
