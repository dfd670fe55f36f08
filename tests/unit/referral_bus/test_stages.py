"""Where a referral is, who must act next, and until when."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.referrals import Referral, Word, after
from referral_bus.stages import (
    ACTORS,
    STAGES,
    Actor,
    Awaited,
    OwnService,
    Progress,
    Stage,
    Standing,
    seen_with,
    standing,
)
from schemas.deadlines import DEFAULT_LIMITS
from schemas.events import ReferralKey
from schemas.lifecycle import ENDED, Side, Status
from schemas.outcomes import Code
from tests.kit.people import RECIPIENT, SENDER

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEW = Referral(
    key=ReferralKey(SENDER, UUID(int=1)),
    side=Side.SENDER,
    peer=RECIPIENT,
    status=Status.REQUESTED,
    priority="urgent",
    acknowledge_by=START + 24 * HOUR,
    respond_by=START + 72 * HOUR,
    created_at=START,
    changed_at=START,
    consent_expires_at=START + 1000 * HOUR,
)


def _at_sender(referral: Referral, delivery: OutboxState = OutboxState.STORED, handed_over: bool = True) -> Standing:
    return standing(referral, Progress(delivery, handed_over))


def _said(status: Status, business_status: str | None = None) -> Referral:
    return after(NEW, Word(Side.RECIPIENT, status, business_status, START + HOUR))


@pytest.mark.parametrize(
    ("delivery", "stage", "actor"),
    [
        (OutboxState.NEW, Stage.NOT_STORED, Actor.SENDER_SERVICE),
        (OutboxState.WAITING_FOR_KEY, Stage.WAITING_FOR_KEY, Actor.RECIPIENT_SERVICE),
        (OutboxState.SENT, Stage.NOT_STORED, Actor.RECIPIENT_SERVICE),
        (OutboxState.REFUSED, Stage.UNDELIVERED, Actor.SENDER_STAFF),
        (OutboxState.ERASED, Stage.UNDELIVERED, Actor.SENDER_STAFF),
        (OutboxState.UNDELIVERABLE, Stage.UNDELIVERED, Actor.SENDER_STAFF),
    ],
)
def test_what_has_not_been_stored_waits_for_a_service_or_is_undelivered(
    delivery: OutboxState, stage: Stage, actor: str
) -> None:
    found = _at_sender(NEW, delivery)
    assert (found.stage, found.actor, found.due) == (stage, actor, NEW.acknowledge_by)


@pytest.mark.parametrize(
    ("delivery", "code", "stage", "actor"),
    [
        (OutboxState.REFUSED, Code.CONSENT_INVALID, Stage.UNDELIVERED, Actor.SENDER_STAFF),
        (OutboxState.REFUSED, Code.NOT_A_PARTY, Stage.UNDELIVERED, Actor.OPERATORS),
        (OutboxState.HELD, Code.CODE_UNKNOWN, Stage.HELD, Actor.RECIPIENT_STAFF),
        (OutboxState.HELD, Code.REGISTER_NEWER, Stage.HELD, Actor.RECIPIENT_SERVICE),
    ],
)
def test_a_code_tells_who_must_act(delivery: OutboxState, code: Code, stage: Stage, actor: str) -> None:
    found = standing(NEW, Progress(delivery, False, code))
    assert (found.stage, found.actor, found.code, found.due) == (stage, actor, code, NEW.acknowledge_by)


@pytest.mark.parametrize("delivery", [OutboxState.SENT, OutboxState.UNDELIVERABLE])
def test_the_code_of_an_earlier_word_says_nothing_of_a_later_state(delivery: OutboxState) -> None:
    assert standing(NEW, Progress(delivery, False, Code.CODE_UNKNOWN)).code is None


def test_a_hand_over_that_has_failed_for_good_waits_for_the_recipients_staff() -> None:
    found = standing(NEW, Progress(None, False, blocked=True))
    assert (found.stage, found.actor) == (Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF)
    assert found.code is Code.HANDOVER_EXHAUSTED
    later = standing(NEW, Progress(None, True, blocked=True))
    assert (later.stage, later.code) == (Stage.NOT_SEEN, Code.HANDOVER_EXHAUSTED)


def test_the_earliest_of_several_deadlines_counts() -> None:
    long_ago = START - 100 * HOUR
    found = _at_sender(replace(NEW, cancel_requested_at=long_ago), OutboxState.SENT)
    assert (found.due, found.due_for) == (long_ago + DEFAULT_LIMITS.unanswered, Awaited.CANCELLATION)


def test_what_a_deadline_is_for_follows_how_far_the_referral_is() -> None:
    accepted = _said(Status.ACCEPTED)
    asked = replace(NEW, question_asked_at=START - 100 * HOUR)
    for referral, due_for in (
        (NEW, Awaited.FIRST_WORD),
        (_said(Status.RECEIVED), Awaited.ANSWER),
        (accepted, Awaited.NEXT_WORD),
        (asked, Awaited.QUESTION),
        (_said(Status.COMPLETED), None),
    ):
        assert _at_sender(referral, OutboxState.STORED).due_for == due_for


@pytest.mark.parametrize(
    ("handed_over", "stage", "actor"),
    [
        (False, Stage.NOT_HANDED_OVER, Actor.RECIPIENT_SERVICE),
        (True, Stage.NOT_SEEN, Actor.RECIPIENT_STAFF),
    ],
)
def test_stored_and_handed_over_are_told_apart_on_both_sides(handed_over: bool, stage: Stage, actor: str) -> None:
    for found in (_at_sender(NEW, handed_over=handed_over), standing(NEW, Progress(None, handed_over))):
        assert (found.stage, found.actor, found.due, found.asked) == (stage, actor, NEW.acknowledge_by, None)


def test_a_note_tells_that_staff_have_seen_it_though_the_status_is_as_before() -> None:
    for seen in (_said(Status.REQUESTED, "waitlisted"), _said(Status.RECEIVED)):
        found = _at_sender(seen)
        assert (found.stage, found.actor, found.due) == (Stage.NOT_ANSWERED, Actor.RECIPIENT_STAFF, NEW.respond_by)


def test_a_word_of_the_recipient_tells_more_than_a_receipt_that_has_not_come() -> None:
    assert _at_sender(_said(Status.RECEIVED), OutboxState.SENT).stage is Stage.NOT_ANSWERED


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD])
def test_an_accepted_referral_is_with_the_recipients_staff(status: Status) -> None:
    accepted = replace(_said(Status.ACCEPTED), status=status)
    found = _at_sender(accepted)
    assert (found.stage, found.actor) == (Stage.IN_SERVICE, Actor.RECIPIENT_STAFF)
    assert found.due == START + HOUR + DEFAULT_LIMITS.idle


@pytest.mark.parametrize("status", sorted(ENDED))
def test_when_it_has_ended_nobody_has_to_act(status: Status) -> None:
    assert _at_sender(_said(status), OutboxState.SENT) == Standing(Stage.ENDED, Actor.NONE, None, None)


def test_a_request_to_cancel_waits_for_the_recipient_and_goes_before_a_question() -> None:
    asked = replace(_said(Status.ACCEPTED), cancel_requested_at=START + HOUR, question_asked_at=START)
    found = _at_sender(asked)
    assert (found.actor, found.asked) == (Actor.RECIPIENT_STAFF, "cancellation")
    assert found.due == START + DEFAULT_LIMITS.unanswered, "the question is not answered either"


def test_a_question_waits_for_the_sender_until_its_own_limit_or_an_earlier_deadline() -> None:
    accepted = replace(_said(Status.ACCEPTED), question_asked_at=START)
    found = _at_sender(accepted)
    assert (found.actor, found.asked, found.due) == (Actor.SENDER_STAFF, "question", START + DEFAULT_LIMITS.unanswered)
    unanswered = replace(_said(Status.RECEIVED), question_asked_at=START + 2 * HOUR)
    assert _at_sender(unanswered).due == NEW.respond_by


def test_it_is_overdue_after_its_moment_and_not_at_it() -> None:
    found = _at_sender(NEW)
    assert not found.overdue(NEW.acknowledge_by)
    assert found.overdue(NEW.acknowledge_by + timedelta(milliseconds=1))
    assert not Standing(Stage.ENDED, Actor.NONE, None, None).overdue(START + 1000 * HOUR)


def test_each_stage_and_each_actor_is_a_code_with_a_meaning() -> None:
    assert list(STAGES) == list(Stage)
    assert list(ACTORS) == list(Actor)
    for code in (*STAGES, *ACTORS):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)


def test_what_kafka_has_not_acknowledged_waits_for_the_senders_own_service() -> None:
    found = standing(NEW, Progress(OutboxState.SENT, False, in_kafka=False))
    assert (found.stage, found.actor) == (Stage.NOT_STORED, Actor.SENDER_SERVICE)


def test_what_kafka_does_not_take_waits_for_the_operators_of_the_bus() -> None:
    for delivery in (OutboxState.NEW, OutboxState.SENT):
        found = standing(NEW, Progress(delivery, False, in_kafka=False, send_failure="too_large"))
        assert (found.stage, found.actor, found.send_failure) == (Stage.NOT_STORED, Actor.OPERATORS, "too_large")


def test_a_recipient_that_announces_failed_hand_overs_does_not_go_on_by_itself() -> None:
    found = standing(NEW, Progress(OutboxState.STORED, False, gave_up=True))
    assert (found.stage, found.actor) == (Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF)


@pytest.mark.parametrize(
    ("side", "actor", "stopped", "cut_off"),
    [
        (Side.SENDER, Actor.RECIPIENT_SERVICE, Actor.SENDER_OPERATORS, Actor.OPERATORS),
        (Side.SENDER, Actor.RECIPIENT_STAFF, Actor.SENDER_OPERATORS, Actor.OPERATORS),
        (Side.SENDER, Actor.SENDER_STAFF, Actor.SENDER_STAFF, Actor.SENDER_STAFF),
        (Side.RECIPIENT, Actor.SENDER_STAFF, Actor.RECIPIENT_OPERATORS, Actor.OPERATORS),
        (Side.RECIPIENT, Actor.RECIPIENT_STAFF, Actor.RECIPIENT_STAFF, Actor.RECIPIENT_STAFF),
        (Side.RECIPIENT, Actor.NONE, Actor.NONE, Actor.NONE),
    ],
)
def test_an_agency_whose_own_service_hears_nothing_blames_nobody_else(
    side: Side, actor: Actor, stopped: Actor, cut_off: Actor
) -> None:
    judged = Standing(Stage.NOT_STORED, actor, None, None)
    assert seen_with(judged, side, OwnService.WORKS) == judged
    assert seen_with(judged, side, OwnService.STOPPED) == replace(judged, actor=stopped)
    assert seen_with(judged, side, OwnService.CUT_OFF) == replace(judged, actor=cut_off)
