"""The checker that ends the demonstration must see each kind of damage."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from deploy.demo.compare import Comparison, LedgerContent, about, compare, left_open, read_ledger
from deploy.demo.run import last_line
from deploy.demo.stories import UNANSWERED_FROM
from referral_bus.ledger.queries import EventRow
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Status
from tests.kit.bench import Bench, bench
from tests.kit.people import RECIPIENT, SENDER

KEY = ReferralKey("aaa", UUID(int=1))


def row(
    number: int, writer: str, sequence: int, outcome: str = "STORED", *, record: str = "StatusEvent", of: int = 0
) -> EventRow:
    addressee = "bbb" if writer == "aaa" else "aaa"
    event_id = UUID(int=1000 * of + 100 * sequence + (1 if writer == "aaa" else 2))
    return EventRow(number, event_id, KEY, writer, addressee, Place(1, sequence), outcome, record)


SENT, ANSWER, LATER = row(1, "aaa", 1), row(2, "bbb", 1), row(3, "bbb", 2)


def ledgers(at_sender: list[EventRow], at_recipient: list[EventRow], *statuses: Status) -> dict[str, LedgerContent]:
    own, other = statuses or (Status.COMPLETED, Status.COMPLETED)
    return {"aaa": LedgerContent(at_sender, {KEY: own}), "bbb": LedgerContent(at_recipient, {KEY: other})}


def test_the_last_line_says_that_the_one_open_referral_was_left_open_on_purpose_and_of_no_other() -> None:
    told, other = ReferralKey(UNANSWERED_FROM, UUID(int=1)), ReferralKey("aaa", UUID(int=2))
    result = Comparison(referrals=2, closed=1)
    assert last_line(result, [told]) == f"{result.line} (the open one is that of story (c), unanswered on purpose)"
    for others in ([], [other], [told, other], [told, told]):
        assert last_line(result, others) == result.line


def test_what_is_open_is_told_by_its_sender() -> None:
    assert left_open(ledgers([SENT], [SENT], Status.REQUESTED, Status.REQUESTED)) == [KEY]
    assert left_open(ledgers([SENT], [SENT])) == []


def test_two_ledgers_that_agree_show_nothing() -> None:
    result = compare(ledgers([SENT, ANSWER, LATER], [SENT, ANSWER, LATER]))
    assert result.kept
    assert result.line == "closed 1 of 1, open 0, lost 0, twice 0, out of order 0"


def test_an_event_that_never_arrived_is_lost() -> None:
    result = compare(ledgers([SENT, ANSWER], [SENT, ANSWER, LATER]))
    assert (result.lost, result.kept) == (1, False)


def test_an_event_that_was_refused_visibly_is_not_lost() -> None:
    result = compare(ledgers([SENT], [row(1, "aaa", 1, "REFUSED")]))
    assert (result.lost, result.refused) == (0, 1)


def test_an_event_that_took_effect_twice_is_seen() -> None:
    result = compare(ledgers([SENT, ANSWER, replace(ANSWER, number=4)], [SENT, ANSWER]))
    assert (result.twice, result.kept) == (1, False)


def test_events_out_of_order_are_seen() -> None:
    result = compare(ledgers([SENT, replace(LATER, number=2), replace(ANSWER, number=3)], [SENT, ANSWER, LATER]))
    assert (result.out_of_order, result.kept) == (1, False)


def test_an_event_that_nobody_wrote_is_seen() -> None:
    result = compare(ledgers([SENT, ANSWER], [SENT]))
    assert (result.invented, result.kept) == (1, False)


def test_two_sides_with_another_status_are_seen() -> None:
    result = compare(ledgers([SENT], [SENT], Status.COMPLETED, Status.IN_PROGRESS))
    assert (result.differing, result.kept) == (1, False)


def test_open_referrals_are_counted_and_are_no_damage() -> None:
    result = compare(ledgers([SENT], [SENT], Status.REQUESTED, Status.REQUESTED))
    assert result.kept
    assert result.line.startswith("closed 0 of 1, open 1")


# erased referrals

ASKED, ERASED = row(4, "aaa", 9, record="ErasureEvent"), row(5, "bbb", 9, record="ErasureEvent")
CONFIRMED = row(6, "bbb", 9, record="ErasureEvent", of=1)  # a word about an erasure uses no place
WORDS = [ASKED, ERASED, CONFIRMED]


def erased(at_sender: list[EventRow], at_recipient: list[EventRow]) -> dict[str, LedgerContent]:
    status = {KEY: Status.CANCELLED}
    return {"aaa": LedgerContent(at_sender, status, {KEY}), "bbb": LedgerContent(at_recipient, status, {KEY})}


def test_what_is_erased_at_both_sides_is_closed_and_nothing_of_it_is_lost() -> None:
    result = compare(erased([SENT, ANSWER, *WORDS], [SENT, ANSWER, LATER, *WORDS]))
    assert result == Comparison(referrals=1, closed=1, erased=1)
    assert result.line == "closed 1 of 1, open 0, lost 0, twice 0, out of order 0"


def test_a_word_about_an_erasure_that_never_arrived_is_lost() -> None:
    assert compare(erased([SENT, ASKED], [SENT, ASKED, ERASED])).lost == 1


def test_an_erasure_overtakes_and_is_not_out_of_order() -> None:
    result = compare(erased([SENT, CONFIRMED, ERASED, ANSWER, ASKED], [SENT, ANSWER, *WORDS]))
    assert result.out_of_order == 0


def test_an_event_that_took_effect_twice_is_seen_in_an_erased_referral_too() -> None:
    again = replace(SENT, number=7)
    assert compare(erased([SENT, *WORDS], [SENT, again, *WORDS])).twice == 1


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        yield made


def test_real_ledgers_agree_after_a_withdrawal_even_where_a_word_was_still_under_way(pair: Bench) -> None:
    kept, gone = pair[SENDER].refer(RECIPIENT), pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].say("accept", gone)
    pair[SENDER].withdraw(gone)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    ledgers = {code: read_ledger(pair[code].ledger) for code in (SENDER, RECIPIENT)}
    assert compare(ledgers) == Comparison(referrals=2, closed=1, erased=1)
    assert compare(about({kept}, ledgers)) == Comparison(referrals=1)
    assert compare(about({gone}, ledgers)) == Comparison(referrals=1, closed=1, erased=1)
