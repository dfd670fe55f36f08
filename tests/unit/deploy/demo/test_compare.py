"""The checker that ends the demonstration must see each kind of damage."""

from dataclasses import replace
from uuid import UUID

from deploy.demo.compare import LedgerContent, compare
from referral_bus.ledger.looking import EventRow
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Status

KEY = ReferralKey("aaa", UUID(int=1))


def row(number: int, writer: str, sequence: int, outcome: str = "STORED") -> EventRow:
    addressee = "bbb" if writer == "aaa" else "aaa"
    event_id = UUID(int=100 * sequence + (1 if writer == "aaa" else 2))
    return EventRow(number, event_id, KEY, writer, addressee, Place(1, sequence), outcome)


SENT, ANSWER, LATER = row(1, "aaa", 1), row(2, "bbb", 1), row(3, "bbb", 2)


def ledgers(at_sender: list[EventRow], at_recipient: list[EventRow], *statuses: Status) -> dict[str, LedgerContent]:
    own, other = statuses or (Status.COMPLETED, Status.COMPLETED)
    return {"aaa": LedgerContent(at_sender, {KEY: own}), "bbb": LedgerContent(at_recipient, {KEY: other})}


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
