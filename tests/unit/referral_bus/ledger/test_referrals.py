"""What a word does to a referral: one pure function for both sides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from referral_bus.ledger.referrals import Referral, Word, after
from schemas.events import ReferralKey
from schemas.lifecycle import ENDED, Side, Status
from tests.kit.people import RECIPIENT, SENDER

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LATER, LATEST = START + timedelta(hours=1), START + timedelta(hours=2)
NEW = Referral(
    key=ReferralKey(SENDER, UUID(int=1)),
    side=Side.RECIPIENT,
    peer=RECIPIENT,
    status=Status.REQUESTED,
    priority="urgent",
    acknowledge_by=LATER,
    respond_by=LATEST,
    created_at=START,
    changed_at=START,
    consent_expires_at=START + timedelta(days=90),
)


def _recipient(status: Status, business_status: str | None = None, at: datetime = LATER) -> Word:
    return Word(Side.RECIPIENT, status, business_status, at)


def _sender(business_status: str | None, at: datetime = LATER) -> Word:
    return Word(Side.SENDER, None, business_status, at)


def test_the_first_word_of_the_recipient_acknowledges_and_no_later_one() -> None:
    first = after(NEW, _recipient(Status.REQUESTED, "waitlisted"))
    assert (first.acknowledged_at, first.answered_at, first.changed_at) == (LATER, None, LATER)
    assert after(first, _recipient(Status.RECEIVED, at=LATEST)).acknowledged_at == LATER


@pytest.mark.parametrize("status", [Status.ACCEPTED, *sorted(ENDED)])
def test_an_acceptance_or_any_end_answers(status: Status) -> None:
    assert after(NEW, _recipient(status)).answered_at == LATER


def test_a_word_of_the_sender_never_moves_the_status_nor_acknowledges() -> None:
    asked = after(NEW, _sender("cancellation-requested"))
    assert (asked.status, asked.acknowledged_at, asked.cancel_requested_at) == (Status.REQUESTED, None, LATER)


@pytest.mark.parametrize(
    ("word", "settled"),
    [
        (_recipient(Status.CANCELLED), True),
        (_recipient(Status.ACCEPTED), True),
        (_recipient(Status.REQUESTED, "cancellation-refused"), True),
        (_recipient(Status.REQUESTED, "waitlisted"), False),
    ],
)
def test_a_request_to_cancel_is_settled_by_a_move_or_a_refusal(word: Word, settled: bool) -> None:
    asked = replace(NEW, cancel_requested_at=START)
    assert (after(asked, word).cancel_requested_at is None) == settled


def test_a_question_stands_until_the_sender_says_something_that_is_no_cancellation() -> None:
    asked = after(NEW, _recipient(Status.REQUESTED, "information-requested"))
    assert asked.question_asked_at == LATER
    assert after(asked, _recipient(Status.RECEIVED, at=LATEST)).question_asked_at == LATER
    assert after(asked, _sender("cancellation-requested", LATEST)).question_asked_at == LATER
    assert after(asked, _sender("information-provided", LATEST)).question_asked_at is None


@pytest.mark.parametrize("word", [_sender("cancellation-requested"), _recipient(Status.REJECTED, "waitlisted")])
def test_a_word_about_an_ended_referral_changes_nothing(word: Word) -> None:
    ended = after(NEW, _recipient(Status.REJECTED, at=START))
    assert after(ended, word) == ended


def test_a_recipient_whose_ledger_was_restored_sets_the_status_even_of_an_ended_referral() -> None:
    ended = after(NEW, _recipient(Status.REJECTED, at=START))
    assert after(ended, _recipient(Status.IN_PROGRESS)).status is Status.IN_PROGRESS
