"""The life cycle, written out once more by hand: who may do what, from where, to where."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.code_lists import load_code_list
from schemas.lifecycle import (
    ANSWERED,
    ENDED,
    MOVE_BY_VERB,
    MOVES,
    NOTES,
    OPEN,
    Illegal,
    Side,
    Status,
    cancels_by_itself,
    fold,
    judge,
    may_follow,
)

ALL = (
    "requested",
    "received",
    "accepted",
    "in-progress",
    "on-hold",
    "rejected",
    "completed",
    "failed",
    "cancelled",
    "entered-in-error",
)
OPEN_ONES = ALL[:5]
ENDS = ALL[5:]


def each_stays() -> Mapping[str, str]:
    return MappingProxyType({status: status for status in OPEN_ONES})


@dataclass(frozen=True)
class Row:
    """`to`: the status after, by the status before; what is not named is illegal."""

    by: str
    to: Mapping[str, str]
    needs: tuple[str, ...] = ()
    says: str | None = None
    asked_first: bool = False


TABLE = {
    "see": Row("recipient", {"requested": "received"}),
    "accept": Row("recipient", {"requested": "accepted", "received": "accepted"}),
    "reject": Row(
        "recipient",
        {"requested": "rejected", "received": "rejected", "accepted": "rejected"},
        ("outcome_reason",),
    ),
    "start": Row("recipient", {"accepted": "in-progress"}),
    "hold": Row("recipient", {"in-progress": "on-hold"}, ("text",)),
    "resume": Row("recipient", {"on-hold": "in-progress"}),
    "complete": Row(
        "recipient",
        {"accepted": "completed", "in-progress": "completed", "on-hold": "completed"},
        ("outcome",),
    ),
    "fail": Row("recipient", {"in-progress": "failed", "on-hold": "failed"}, ("outcome_reason",)),
    "note": Row("recipient", each_stays(), ("business_status",)),
    "ask": Row("recipient", each_stays(), ("text",), "information-requested"),
    "refuse-cancel": Row("recipient", each_stays(), ("text",), "cancellation-refused", asked_first=True),
    "confirm-cancel": Row("recipient", dict.fromkeys(OPEN_ONES, "cancelled"), asked_first=True),
    "answer": Row("sender", each_stays(), ("text",), "information-provided"),
    "cancel": Row("sender", each_stays(), (), "cancellation-requested"),
}
"""Every verb; erasures (`withdraw`, `entered-in-error`) are legal always and are no moves."""

STEPS = {
    "requested": {"received", "accepted", "rejected", "cancelled", "entered-in-error"},
    "received": {"accepted", "rejected", "cancelled", "entered-in-error"},
    "accepted": {"rejected", "in-progress", "completed", "cancelled", "entered-in-error"},
    "in-progress": {"on-hold", "completed", "failed", "cancelled", "entered-in-error"},
    "on-hold": {"in-progress", "completed", "failed", "cancelled", "entered-in-error"},
}
"""Where the status may go in one step, as the sender's service judges it, without knowing whether anybody asked."""


def test_the_table_has_every_verb_and_every_status() -> None:
    assert {move.verb for move in MOVES} == set(TABLE) == set(MOVE_BY_VERB)
    assert tuple(Status) == ALL
    assert set(OPEN_ONES) == OPEN
    assert set(ENDS) == ENDED
    assert {entry.code for entry in load_code_list("status").codes} == set(ALL)


@pytest.mark.parametrize(
    ("verb", "side", "asked", "status"),
    list(product(sorted(TABLE), ("sender", "recipient"), (False, True), ALL)),
)
def test_a_move_is_legal_exactly_where_the_table_says(verb: str, side: str, asked: bool, status: str) -> None:
    row = TABLE[verb]
    legal = side == row.by and status in row.to and (asked or not row.asked_first)
    found = judge(MOVE_BY_VERB[verb], Side(side), Status(status), asked)
    if legal:
        assert found == row.to[status]
    else:
        assert isinstance(found, Illegal)
        assert found.verb == verb


@pytest.mark.parametrize("verb", sorted(TABLE))
def test_a_refused_move_says_why(verb: str) -> None:
    row, move = TABLE[verb], MOVE_BY_VERB[verb]
    wrong = Side.SENDER if row.by == "recipient" else Side.RECIPIENT
    assert judge(move, wrong, Status.COMPLETED, True) == Illegal(verb, None, "wrong_side")
    assert judge(move, Side(row.by), Status.COMPLETED, False) == Illegal(verb, Status.COMPLETED, "wrong_status")
    first = Status(next(iter(row.to)))
    not_asked = Illegal(verb, first, "no_cancel_request")
    assert (judge(move, Side(row.by), first, False) == not_asked) == row.asked_first


@pytest.mark.parametrize("verb", sorted(TABLE))
def test_a_move_needs_and_says_what_the_table_says(verb: str) -> None:
    move, row = MOVE_BY_VERB[verb], TABLE[verb]
    assert (move.needs, move.business_status) == (row.needs, row.says)
    assert move.help.endswith(".")


def test_what_is_said_is_on_the_list_and_each_is_said_by_one_verb() -> None:
    said = [row.says for row in TABLE.values() if row.says] + sorted(NOTES)
    assert sorted(said) == sorted(entry.code for entry in load_code_list("business_status").codes)


@pytest.mark.parametrize(("before", "after"), list(product(ALL, ALL)))
def test_the_other_side_takes_the_same_status_or_one_step(before: str, after: str) -> None:
    legal = after == before or after in STEPS.get(before, set())
    assert may_follow(Status(before), Status(after)) is legal


@pytest.mark.parametrize(("verb", "status"), list(product(sorted(TABLE), OPEN_ONES)))
def test_what_a_recipient_may_do_its_sender_takes(verb: str, status: str) -> None:
    after = judge(MOVE_BY_VERB[verb], Side.RECIPIENT, Status(status), True)
    assert isinstance(after, Illegal) or may_follow(Status(status), after)


@pytest.mark.parametrize("verb", [verb for verb, row in TABLE.items() if row.by == "sender"])
@pytest.mark.parametrize("status", OPEN_ONES)
def test_the_sender_never_changes_the_status(verb: str, status: str) -> None:
    assert judge(MOVE_BY_VERB[verb], Side.SENDER, Status(status), True) == status


def test_an_answer_is_accepted_rejected_or_any_end() -> None:
    assert {"accepted", *ENDS} == ANSWERED


@pytest.mark.parametrize("status", ALL)
def test_the_service_cancels_by_itself_until_somebody_has_taken_it_on(status: str) -> None:
    assert cancels_by_itself(Status(status)) is (status in ("requested", "received"))


STATUSES = st.lists(st.sampled_from(list(Status)), max_size=12)


def test_before_the_first_word_a_referral_is_requested() -> None:
    assert fold([]) is Status.REQUESTED


@given(STATUSES)
def test_the_status_is_that_of_the_last_legal_step(steps: list[Status]) -> None:
    expected = "requested"
    for step in steps:
        if step == expected or step in STEPS.get(expected, set()):
            expected = step.value
    assert fold(steps) == expected


@given(STATUSES, STATUSES)
def test_an_end_is_final_whatever_comes_after(steps: list[Status], more: list[Status]) -> None:
    if fold(steps) in ENDED:
        assert fold(steps + more) is fold(steps)


@given(STATUSES)
def test_words_said_twice_change_nothing(steps: list[Status]) -> None:
    assert fold([step for step in steps for _ in range(2)]) is fold(steps)


@given(STATUSES, st.data())
def test_both_sides_see_the_same_status_wherever_the_recipient_moves(steps: list[Status], data: st.DataObject) -> None:
    """The recipient's own moves, judged at its side, and their fold at the sender's."""
    status, told = Status.REQUESTED, []
    for _ in steps:
        after = judge(data.draw(st.sampled_from(MOVES)), Side.RECIPIENT, status, data.draw(st.booleans()))
        if not isinstance(after, Illegal):
            status = after
            told.append(status)
    assert fold(told) is status
