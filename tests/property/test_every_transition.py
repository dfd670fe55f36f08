"""Every transition of the life cycle, legal and illegal, by both sides, over real publish, relay, ingest and ledgers.

For each status a referral is brought there, then each side tries each verb. What is legal ends with the same status on
both sides; what is not is refused before anything is written. And what arrives all the same is refused there.
"""

from pathlib import Path
from uuid import UUID

import pytest

from referral_bus.errors import Reason, Refused
from referral_bus.ledger.outbox import OutboxState
from schemas.events import NOWHERE, Place
from schemas.lifecycle import MOVES, Move, Side, Status
from schemas.outcomes import Code
from tests.kit.bench import Bench, bench
from tests.kit.forge import a_word, event_record
from tests.kit.people import RECIPIENT, SENDER

DETAIL = {
    "outcome": "provided",
    "outcome_reason": "other",
    "text": "Synthetic.",
    "business_status": "contact-attempted",
}
WAY_THERE: dict[Status, tuple[str, ...]] = {
    Status.REQUESTED: (),
    Status.RECEIVED: ("see",),
    Status.ACCEPTED: ("accept",),
    Status.IN_PROGRESS: ("accept", "start"),
    Status.ON_HOLD: ("accept", "start", "hold"),
    Status.REJECTED: ("reject",),
    Status.COMPLETED: ("accept", "complete"),
    Status.FAILED: ("accept", "start", "fail"),
    Status.CANCELLED: ("cancel",),  # before anybody has taken it on the recipient's service cancels by itself
}
# The table written out a second time: where each verb is legal, and where it leads.
OPEN = {Status.REQUESTED, Status.RECEIVED, Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD}
LEGAL: dict[str, tuple[Side, set[Status], Status | None]] = {
    "see": (Side.RECIPIENT, {Status.REQUESTED}, Status.RECEIVED),
    "accept": (Side.RECIPIENT, {Status.REQUESTED, Status.RECEIVED}, Status.ACCEPTED),
    "reject": (Side.RECIPIENT, {Status.REQUESTED, Status.RECEIVED, Status.ACCEPTED}, Status.REJECTED),
    "start": (Side.RECIPIENT, {Status.ACCEPTED}, Status.IN_PROGRESS),
    "hold": (Side.RECIPIENT, {Status.IN_PROGRESS}, Status.ON_HOLD),
    "resume": (Side.RECIPIENT, {Status.ON_HOLD}, Status.IN_PROGRESS),
    "complete": (Side.RECIPIENT, {Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD}, Status.COMPLETED),
    "fail": (Side.RECIPIENT, {Status.IN_PROGRESS, Status.ON_HOLD}, Status.FAILED),
    "note": (Side.RECIPIENT, OPEN, None),
    "ask": (Side.RECIPIENT, OPEN, None),
    "answer": (Side.SENDER, OPEN, None),
    "cancel": (Side.SENDER, OPEN, None),
    "confirm-cancel": (Side.RECIPIENT, set(), None),  # only after the sender has asked: see the tests below
    "refuse-cancel": (Side.RECIPIENT, set(), None),
}
BY_ITSELF = {Status.REQUESTED, Status.RECEIVED}
AGENCY = {Side.SENDER: SENDER, Side.RECIPIENT: RECIPIENT}


def _brought_to(made: Bench, status: Status) -> UUID:
    referral = made[SENDER].refer(RECIPIENT)
    made.settle(2)
    for verb in WAY_THERE[status]:
        _say(made, verb, referral)
        made.settle(3)
    assert (made[SENDER].status(referral), made[RECIPIENT].status(referral)) == (status, status)
    return referral


def _say(made: Bench, verb: str, referral: UUID, side: Side | None = None) -> None:
    move = next(each for each in MOVES if each.verb == verb)
    made[AGENCY[side or move.by]].say(verb, referral, **{need: DETAIL[need] for need in move.needs})


def _events(made: Bench, referral: UUID) -> tuple[int, int]:
    return len(made[SENDER].history(referral)), len(made[RECIPIENT].history(referral))


def _last_place(made: Bench, referral: UUID) -> Place:
    own = [step.place for step in made[RECIPIENT].history(referral) if step.way == "sent"]
    return max(own, default=NOWHERE)


def _steps(status: Status) -> set[Status]:
    """Where an open referral may go as its sender sees it: one verb further, or erased or cancelled."""
    further = {to for _, where, to in LEGAL.values() if status in where and to is not None}
    return further | {Status.CANCELLED, Status.ENTERED_IN_ERROR} if status in OPEN else set()


def test_the_table_here_names_every_verb() -> None:
    assert list(LEGAL) == [move.verb for move in MOVES]
    assert set(WAY_THERE) == set(Status) - {Status.ENTERED_IN_ERROR}  # that one comes by erasure only


@pytest.mark.parametrize("status", WAY_THERE)
@pytest.mark.parametrize("side", Side)
def test_each_side_can_say_what_the_table_allows_and_nothing_else(tmp_path: Path, status: Status, side: Side) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        for move in MOVES:
            referral = _brought_to(made, status)
            by, where, to = LEGAL[move.verb]
            if by is side and status in where:
                _say(made, move.verb, referral)
                made.settle(3)
                expected = Status.CANCELLED if move.verb == "cancel" and status in BY_ITSELF else to or status
                assert made[SENDER].status(referral) == made[RECIPIENT].status(referral) == expected, move.verb
            else:
                _is_refused(made, move, referral, side)


def _is_refused(made: Bench, move: Move, referral: UUID, side: Side) -> None:
    before, status = _events(made, referral), made[SENDER].status(referral)
    with pytest.raises(Refused) as refused:
        _say(made, move.verb, referral, side)
    assert refused.value.reason is Reason.TRANSITION_REFUSED, move.verb
    made.settle(2)
    assert _events(made, referral) == before
    assert made[SENDER].status(referral) == made[RECIPIENT].status(referral) == status


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD])
@pytest.mark.parametrize(("verb", "after"), [("confirm-cancel", Status.CANCELLED), ("refuse-cancel", None)])
def test_after_acceptance_a_person_answers_a_request_to_cancel_once(
    tmp_path: Path, status: Status, verb: str, after: Status | None
) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = _brought_to(made, status)
        _say(made, "cancel", referral)
        made.settle(3)
        assert made[RECIPIENT].status(referral) == status
        _say(made, verb, referral)
        made.settle(3)
        assert made[SENDER].status(referral) == made[RECIPIENT].status(referral) == (after or status)
        _is_refused(made, next(each for each in MOVES if each.verb == verb), referral, Side.RECIPIENT)


@pytest.mark.parametrize("status", WAY_THERE)
def test_a_step_that_arrives_all_the_same_is_taken_only_if_the_sender_may_see_it(
    tmp_path: Path, status: Status
) -> None:
    """The recipient's software is broken or changed: it signs a status out of turn."""
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        for said in Status:
            referral = _brought_to(made, status)
            key, place = made[SENDER].key(referral), _last_place(made, referral)
            word = a_word(made, key, RECIPIENT, SENDER, (1, place.sequence + 1), said)
            made[SENDER].take(event_record(made, word))
            legal = said == status or said in _steps(status)
            receipt = made[SENDER].owed(RECIPIENT)[-1]
            assert (receipt.code is None) == legal, said
            assert legal or receipt.code == Code.TRANSITION_REFUSED
            assert made[SENDER].status(referral) == (said if legal else status)


def test_nothing_answers_a_refusal(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = _brought_to(made, Status.COMPLETED)
        key, place = made[SENDER].key(referral), _last_place(made, referral)
        word = a_word(made, key, RECIPIENT, SENDER, (1, place.sequence + 1), Status.ACCEPTED)
        made[SENDER].take(event_record(made, word))
        before = _events(made, referral)
        made.settle()
        assert _events(made, referral) == before
        assert {step.state for step in made[SENDER].history(referral) if step.way == "sent"} == {OutboxState.STORED}
