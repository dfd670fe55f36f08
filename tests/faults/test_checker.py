"""A check that cannot fail shows nothing: here each column is made to."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from referral_bus.ledger.outbox import OutboxState
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Status
from schemas.outcomes import Outcome
from tests.faults.checker import Book, Entry, Heard, Result, SaidWord, check

KEY = ReferralKey("aaa", UUID(int=1))
WHOLE = Result(events=4)


def entry(writer: str, sequence: int, text: str, status: Status | None = None) -> Entry:
    """As it stands at its addressee."""
    event_id = UUID(int=100 * sequence + (1 if writer == "aaa" else 2))
    addressee = "bbb" if writer == "aaa" else "aaa"
    return Entry(event_id, KEY, writer, addressee, Place(1, sequence), status, Outcome.STORED, None, text)


REFERRAL, ANSWER = entry("aaa", 1, "help"), entry("aaa", 2, "yes")
SEEN, DONE = entry("bbb", 1, "seen", Status.RECEIVED), entry("bbb", 2, "done", Status.COMPLETED)


def own(an_entry: Entry, state: OutboxState = OutboxState.STORED) -> Entry:
    """As it stands at its writer."""
    return replace(an_entry, state=state)


def heard(*entries: Entry) -> list[Heard]:
    return [Heard(each.event_id, KEY.referral_id, each.writer, each.text) for each in entries]


SAID = [SaidWord(each.writer, KEY.referral_id, str(each.text)) for each in (REFERRAL, ANSWER, SEEN, DONE)]
AT_A = Book([own(REFERRAL), own(ANSWER), SEEN, DONE], {KEY: Status.COMPLETED}, heard(SEEN, DONE))
AT_B = Book([REFERRAL, own(SEEN), ANSWER, own(DONE)], {KEY: Status.COMPLETED}, heard(REFERRAL, ANSWER))


def found(said: Sequence[SaidWord] = SAID, at_a: Book = AT_A, at_b: Book = AT_B) -> Result:
    return check(said, {"aaa": at_a, "bbb": at_b})


def at_a(entries: Sequence[Entry]) -> Result:
    return found(at_a=replace(AT_A, entries=entries))


def test_ledgers_that_agree_show_nothing() -> None:
    assert found() == WHOLE
    assert found().kept


TAMPERED: dict[str, tuple[Callable[[], Result], Result]] = {
    "words that were accepted stand in no ledger": (
        lambda: found([*SAID, SaidWord("aaa", KEY.referral_id, "forgotten")]),
        replace(WHOLE, lost=1),
    ),
    "words stand in a ledger that nobody said": (lambda: found(SAID[1:]), replace(WHOLE, invented=1)),
    "words were written twice": (
        lambda: found(
            at_a=replace(AT_A, entries=[*AT_A.entries, replace(own(ANSWER), event_id=UUID(int=9), place=Place(1, 3))]),
            at_b=replace(AT_B, entries=[*AT_B.entries, replace(ANSWER, event_id=UUID(int=9), place=Place(1, 3))]),
        ),
        Result(events=5, twice=1, lost=1),  # and its people did not hear it
    ),
    "words were written in another order": (
        lambda: found([SAID[1], SAID[0], *SAID[2:]]),
        replace(WHOLE, out_of_order=1),
    ),
    "an event did not arrive": (lambda: at_a([own(REFERRAL), own(ANSWER), SEEN]), replace(WHOLE, lost=1, invented=1)),
    "an event took effect twice": (lambda: at_a([*AT_A.entries, DONE]), replace(WHOLE, twice=1)),
    "events took effect in another order": (
        lambda: at_a([own(REFERRAL), own(ANSWER), DONE, SEEN]),
        replace(WHOLE, out_of_order=2),  # nor were they handed over as they were stored
    ),
    "an event was written by nobody": (
        lambda: at_a([*AT_A.entries, entry("bbb", 3, "forged")]),
        replace(WHOLE, invented=1, lost=1),
    ),
    "an event arrived with another text": (
        lambda: at_a([*AT_A.entries[:3], replace(DONE, text="other")]),
        replace(WHOLE, lost=1, invented=2),
    ),
    "an event has no final receipt": (
        lambda: at_a([own(REFERRAL, OutboxState.SENT), *AT_A.entries[1:]]),
        replace(WHOLE, lost=1),
    ),
    "an event has neither arrived nor been receipted": (
        lambda: found(
            at_a=replace(AT_A, entries=[own(REFERRAL), own(ANSWER, OutboxState.SENT), SEEN, DONE]),
            at_b=replace(AT_B, entries=[REFERRAL, own(SEEN), own(DONE)], heard=heard(REFERRAL)),
        ),
        replace(WHOLE, lost=1),
    ),
    "a receipt says stored, and it is not": (
        lambda: found(at_b=replace(AT_B, entries=[REFERRAL, own(SEEN), own(DONE)], heard=heard(REFERRAL))),
        replace(WHOLE, lost=1),
    ),
    "a receipt says refused, and it was not": (
        lambda: at_a([own(REFERRAL), own(ANSWER, OutboxState.REFUSED), SEEN, DONE]),
        replace(WHOLE, lost=1, invented=1, refused=1),
    ),
    "an honest event was refused": (
        lambda: found(
            at_a=replace(AT_A, entries=[own(REFERRAL), own(ANSWER, OutboxState.REFUSED), SEEN, DONE]),
            at_b=replace(
                AT_B,
                entries=[REFERRAL, own(SEEN), replace(ANSWER, outcome=Outcome.REFUSED, text=None), own(DONE)],
                heard=heard(REFERRAL),
            ),
        ),
        replace(WHOLE, refused=1),
    ),
    "people were not given an event": (
        lambda: found(at_a=replace(AT_A, heard=heard(SEEN))),
        replace(WHOLE, lost=1),
    ),
    "people were given an event that is not in the ledger": (
        lambda: found(at_a=replace(AT_A, heard=heard(SEEN, DONE, entry("bbb", 3, "forged")))),
        replace(WHOLE, invented=1),
    ),
    "people were given an event with another text": (
        lambda: found(at_a=replace(AT_A, heard=heard(SEEN, replace(DONE, text="other")))),
        replace(WHOLE, invented=1),
    ),
    "people were given events in another order": (
        lambda: found(at_a=replace(AT_A, heard=heard(DONE, SEEN))),
        replace(WHOLE, out_of_order=1),
    ),
    "people were given an old event again after a newer one": (
        lambda: found(at_a=replace(AT_A, heard=heard(SEEN, DONE, SEEN))),
        replace(WHOLE, out_of_order=1),
    ),
    "the two sides show another status": (
        lambda: found(at_a=replace(AT_A, statuses={KEY: Status.RECEIVED})),
        replace(WHOLE, differing=1),
    ),
    "both sides show a status that is not the recipient's last": (
        lambda: found(
            at_a=replace(AT_A, statuses={KEY: Status.ACCEPTED}), at_b=replace(AT_B, statuses={KEY: Status.ACCEPTED})
        ),
        replace(WHOLE, differing=1),
    ),
}


@pytest.mark.parametrize("tampered", TAMPERED)
def test_damage_is_seen(tampered: str) -> None:
    damaged, expected = TAMPERED[tampered]
    assert damaged() == expected
    assert not damaged().kept


def test_an_event_handed_over_again_before_any_newer_one_is_no_damage() -> None:
    assert found(at_a=replace(AT_A, heard=heard(SEEN, SEEN, DONE, DONE))) == WHOLE


def test_an_automatic_answer_needs_nobody_who_said_it() -> None:
    automatic = replace(DONE, text=None)
    assert (
        found(
            SAID[:3],
            replace(AT_A, entries=[own(REFERRAL), own(ANSWER), SEEN, automatic], heard=heard(SEEN, automatic)),
            replace(AT_B, entries=[REFERRAL, own(SEEN), ANSWER, own(automatic)]),
        )
        == WHOLE
    )


ERASED = Book([], {}, heard(SEEN), {KEY: Status.CANCELLED})
"""What is left of the referral at each side once it was withdrawn."""


def test_of_an_erased_referral_only_the_end_counts() -> None:
    assert found(at_a=ERASED, at_b=replace(ERASED, entries=[replace(SEEN, text=None)])) == Result()


HALF_ERASED: dict[str, tuple[Book, Result]] = {
    "the other side has erased nothing": (AT_B, Result(differing=1, left=1)),
    "the other side has no tombstone": (Book([], {}, []), Result(left=1)),
    "the other side still has the referral": (replace(ERASED, statuses={KEY: Status.CANCELLED}), Result(left=1)),
    "a text can still be read": (replace(ERASED, entries=[REFERRAL]), Result(left=1)),
    "the two sides know another end": (replace(ERASED, erased={KEY: Status.COMPLETED}), Result(differing=1)),
}


@pytest.mark.parametrize("half", HALF_ERASED)
def test_what_is_erased_by_half_is_seen(half: str) -> None:
    at_b, expected = HALF_ERASED[half]
    assert found(at_a=ERASED, at_b=at_b) == expected
    assert not expected.kept


def test_an_automatic_answer_that_was_lost_with_its_ledger_may_stand_at_the_other_side_and_no_persons_word() -> None:
    forgetting = replace(AT_B, forgotten=frozenset([SEEN.event_id]))
    without = replace(forgetting, entries=[each for each in AT_B.entries if each.event_id != SEEN.event_id])
    there = replace(AT_A, entries=[own(REFERRAL), own(ANSWER), replace(SEEN, text=None), DONE])
    said = [words for words in SAID if words.text != SEEN.text]
    heard_so = replace(
        there, heard=[replace(each, text=None) if each.text == SEEN.text else each for each in AT_A.heard]
    )
    assert found(said, heard_so, without) == replace(WHOLE, events=3)
    assert found(said, heard_so, replace(without, forgotten=frozenset())).invented == 1
    assert found(said, AT_A, without).invented == 1


@pytest.mark.parametrize("state", [OutboxState.ERASED, OutboxState.UNDELIVERABLE])
def test_an_event_that_ended_visibly_without_arriving_is_no_damage(state: OutboxState) -> None:
    ended = replace(AT_A, entries=[own(REFERRAL), own(ANSWER, state), SEEN, DONE])
    without = replace(AT_B, entries=[REFERRAL, own(SEEN), own(DONE)], heard=heard(REFERRAL))
    assert found(at_a=ended, at_b=without) == WHOLE
