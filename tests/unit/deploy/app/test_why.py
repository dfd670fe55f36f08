"""`why`: one sentence for every stage, on both sides: where, who must act, how long is left."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from deploy.app.agency_client import Case
from deploy.app.views.why import CUT_OFF, STOPPED, why
from producers.verbs import anew
from referral_bus.ledger.referrals import Referral
from referral_bus.silence import Presence
from referral_bus.stages import Actor, Awaited, OwnService, Stage, Standing
from schemas.events import ReferralKey
from schemas.lifecycle import Side, Status
from schemas.outcomes import Code
from tests.kit.made_once import federation

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SENDER, RECIPIENT = "family-women", "public-health"
REGISTER = federation((SENDER, RECIPIENT), NOW)[1]
DESK_OF = {code: f"referral desk, referrals@{code}.example, Mon-Sat 08:00-20:00" for code in (SENDER, RECIPIENT)}


def case(
    standing: Standing,
    side: Side = Side.SENDER,
    status: Status = Status.REQUESTED,
    silent: bool = False,
    heard_at: datetime | None = NOW - timedelta(days=3),
) -> Case:
    referral = Referral(
        key=ReferralKey(SENDER, UUID("7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1b01")),
        side=side,
        peer=RECIPIENT if side is Side.SENDER else SENDER,
        status=status,
        priority="urgent",
        acknowledge_by=NOW,
        respond_by=NOW,
        created_at=NOW,
        changed_at=NOW,
        consent_expires_at=NOW,
    )
    other = REGISTER.agency(referral.peer)
    assert other is not None
    standing = replace(standing, due_for=Awaited.ANSWER) if standing.due and not standing.due_for else standing
    return Case(referral, standing, Presence(other, heard_at, silent), "PLANTED-7731", [])


def sentence(case: Case, now: datetime = NOW) -> str:
    us = SENDER if case.referral.side is Side.SENDER else RECIPIENT
    return why(case, REGISTER, us, now, "Asia/Tashkent")


DUE = NOW + timedelta(hours=23, minutes=30)
LEFT = "23 hours left for the answer, until 2026-11-24 18:30 +05:00"

AT_SENDER: list[tuple[Stage, Actor, str, str]] = [
    (
        Stage.WAITING_FOR_KEY,
        Actor.RECIPIENT_SERVICE,
        "waits here until public-health has announced a key to seal to",
        f"the service of public-health, by itself once it runs ({DESK_OF[RECIPIENT]})",
    ),
    (
        Stage.NOT_STORED,
        Actor.SENDER_SERVICE,
        "is on its way: public-health's service has not said yet that it is stored",
        "the service of family-women, by itself",
    ),
    (
        Stage.NOT_HANDED_OVER,
        Actor.RECIPIENT_SERVICE,
        "is stored by public-health's service, not yet handed over to its system",
        f"the service of public-health, by itself once it runs ({DESK_OF[RECIPIENT]})",
    ),
    (
        Stage.NOT_SEEN,
        Actor.RECIPIENT_STAFF,
        "has reached public-health; its staff have not said that they have seen it",
        f"the staff of public-health ({DESK_OF[RECIPIENT]})",
    ),
    (
        Stage.NOT_ANSWERED,
        Actor.RECIPIENT_STAFF,
        "has been seen at public-health, and is not answered yet",
        f"the staff of public-health ({DESK_OF[RECIPIENT]})",
    ),
]


@pytest.mark.parametrize(("stage", "actor", "where", "who"), AT_SENDER, ids=[row[0].name for row in AT_SENDER])
def test_the_sender_reads_where_it_is_whom_to_call_and_until_when(
    stage: Stage, actor: Actor, where: str, who: str
) -> None:
    said = sentence(case(Standing(stage, actor, DUE, None)))
    assert said == f"Referral 7b1f3c52 from family-women {where}; next must act {who}; {LEFT}."


def test_the_recipient_is_not_told_its_own_telephone_number() -> None:
    said = sentence(case(Standing(Stage.NOT_SEEN, Actor.RECIPIENT_STAFF, DUE, None), Side.RECIPIENT))
    assert f"next must act our staff; {LEFT}." in said


@pytest.mark.parametrize(
    ("code", "actor", "who"),
    [
        (Code.CONSENT_INVALID, Actor.SENDER_STAFF, "our staff"),
        (Code.NOT_A_PARTY, Actor.OPERATORS, "the operators of the bus"),
    ],
)
def test_what_was_refused_names_the_code_and_who_acts(code: Code, actor: Actor, who: str) -> None:
    said = sentence(case(Standing(Stage.UNDELIVERED, actor, None, None, code)))
    assert f"was refused by public-health's service ({code}); next must act {who}." in said


def test_what_can_never_be_delivered_any_more_says_so() -> None:
    said = sentence(case(Standing(Stage.UNDELIVERED, Actor.SENDER_STAFF, DUE, None)))
    assert "cannot be delivered any more: consent has expired, or public-health has left or erased it; next" in said
    assert f"must act our staff; {LEFT}." in said


@pytest.mark.parametrize(
    ("code", "actor", "who"),
    [
        (Code.CODE_UNKNOWN, Actor.RECIPIENT_STAFF, "the staff of public-health"),
        (Code.REGISTER_NEWER, Actor.RECIPIENT_SERVICE, "the service of public-health, by itself once it runs"),
    ],
)
def test_what_is_held_names_the_code_and_who_acts(code: Code, actor: Actor, who: str) -> None:
    said = sentence(case(Standing(Stage.HELD, actor, DUE, None, code)))
    where = f"is held by public-health's service ({code}) and is taken in once that is mended"
    assert f"{where}; next must act {who} ({DESK_OF[RECIPIENT]}); {LEFT}." in said


def test_a_hand_over_that_has_failed_for_good_says_what_to_do_at_the_recipient() -> None:
    standing = Standing(Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF, DUE, None, Code.HANDOVER_EXHAUSTED)
    said = sentence(case(standing, Side.RECIPIENT))
    assert "not yet handed over to its system; its hand-over here has failed for good (HANDOVER_EXHAUSTED), " in said
    assert f"retry or discard the dead letter; next must act our staff; {LEFT}." in said


WAITS_FOR_THEM = Standing(Stage.NOT_SEEN, Actor.RECIPIENT_STAFF, DUE, None)


def test_a_silent_agency_that_must_act_is_said_to_be_silent() -> None:
    said = sentence(case(WAITS_FOR_THEM, silent=True))
    since = "nothing was heard of public-health since 2026-11-20 19:00 +05:00"
    assert f"({DESK_OF[RECIPIENT]}); {since}; {LEFT}." in said
    never = sentence(case(WAITS_FOR_THEM, silent=True, heard_at=None))
    assert "; nothing was heard of public-health yet; " in never


@pytest.mark.parametrize(
    "other",
    [
        case(WAITS_FOR_THEM),
        case(WAITS_FOR_THEM, Side.RECIPIENT, silent=True),
        case(Standing(Stage.UNDELIVERED, Actor.OPERATORS, DUE, None, Code.NOT_A_PARTY), silent=True),
        case(Standing(Stage.NOT_STORED, Actor.SENDER_SERVICE, DUE, None), silent=True),
    ],
    ids=["it is not silent", "we must act ourselves", "the operators must act", "our service must act"],
)
def test_silence_that_holds_nothing_up_is_not_mentioned(other: Case) -> None:
    assert "nothing was heard" not in sentence(other)


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD])
def test_what_is_being_worked_on_names_its_status(status: Status) -> None:
    said = sentence(case(Standing(Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, None, None), status=status))
    assert f"from family-women is {status} at public-health; next must act the staff of public-health" in said


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.REJECTED, Status.FAILED, Status.CANCELLED])
def test_of_what_has_ended_nobody_has_to_act(status: Status) -> None:
    said = sentence(case(Standing(Stage.ENDED, Actor.NONE, None, None), status=status))
    assert said == f"Referral 7b1f3c52 from family-women has ended: {status}; nothing is left to do."


def test_a_question_and_a_request_to_cancel_are_said() -> None:
    asked = Standing(Stage.IN_SERVICE, Actor.SENDER_STAFF, DUE, "question")
    assert "our staff: a question waits for an answer; 23 hours left" in sentence(case(asked))
    cancel = Standing(Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, DUE, "cancellation")
    said = sentence(case(cancel, Side.RECIPIENT))
    assert "our staff: the sender asks to cancel it, confirm or refuse; 23 hours left" in said


SPANS = [
    (timedelta(seconds=1), "1 second"),
    (timedelta(seconds=59), "59 seconds"),
    (timedelta(minutes=1), "1 minute"),
    (timedelta(minutes=59, seconds=59), "59 minutes"),
    (timedelta(hours=1), "1 hour"),
    (timedelta(hours=47), "1 day"),
    (timedelta(days=13, hours=23), "13 days"),
]


@pytest.mark.parametrize(("span", "words"), SPANS, ids=[words for _, words in SPANS])
def test_the_time_that_is_left_or_over_is_said_in_whole_units(span: timedelta, words: str) -> None:
    seen = case(Standing(Stage.NOT_ANSWERED, Actor.RECIPIENT_STAFF, NOW, None))
    assert f"; {words} left for the answer, until 2026-11-23 19:00 +05:00." in sentence(seen, NOW - span)
    assert f"; the answer is overdue by {words}, since 2026-11-23 19:00 +05:00." in sentence(seen, NOW + span)


@pytest.mark.parametrize(
    ("due_for", "words"),
    [
        (Awaited.FIRST_WORD, "the first word"),
        (Awaited.NEXT_WORD, "the next word"),
        (Awaited.CANCELLATION, "the word on the cancellation"),
        (Awaited.QUESTION, "the answer to the question"),
    ],
)
def test_what_the_time_is_left_for_is_said(due_for: Awaited, words: str) -> None:
    seen = case(Standing(Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, DUE, None, due_for=due_for))
    assert f"; 23 hours left for {words}, until" in sentence(seen)
    assert f"; {words} is overdue by 30 minutes, since" in sentence(seen, DUE + timedelta(minutes=30))


def test_every_stage_has_a_sentence_and_none_says_more_than_ids_and_agencies() -> None:
    for stage in Stage:
        for side in Side:
            said = sentence(case(Standing(stage, Actor.NONE, None, None), side))
            assert said.startswith("Referral 7b1f3c52 from family-women ")
            assert said.endswith(".")
            assert "PLANTED-7731" not in said
            assert "{" not in said


def test_an_agency_that_the_register_does_not_know_any_more_has_no_contact() -> None:
    seen = case(Standing(Stage.NOT_SEEN, Actor.RECIPIENT_STAFF, None, None))
    gone = replace(seen, referral=replace(seen.referral, peer="gone-agency"), other=None)
    assert sentence(gone).endswith("next must act the staff of gone-agency.")


def test_what_kafka_does_not_take_is_not_the_recipients_fault() -> None:
    said = sentence(case(Standing(Stage.NOT_STORED, Actor.OPERATORS, DUE, None, send_failure="topic_missing")))
    assert "; what we say of it cannot be sent: Kafka has no inbox of public-health; the operators of the bus: " in said
    assert "make it with `register apply`; next must act the operators of the bus; " in said


@pytest.mark.parametrize(
    ("service", "actor", "why_not", "who"),
    [
        (OwnService.STOPPED, Actor.SENDER_OPERATORS, STOPPED, "our operators"),
        (OwnService.CUT_OFF, Actor.OPERATORS, CUT_OFF, "the operators of the bus"),
    ],
)
def test_with_our_own_service_stopped_or_cut_off_that_is_said_and_who_mends_it(
    service: OwnService, actor: Actor, why_not: str, who: str
) -> None:
    judged = case(Standing(Stage.NOT_STORED, actor, DUE, None))
    assert f"; {why_not}; next must act {who}; " in sentence(replace(judged, own_service=service))
    ended = case(Standing(Stage.ENDED, Actor.NONE, None, None))
    assert why_not not in sentence(replace(ended, own_service=service))


def test_a_recipient_that_has_left_the_register_is_said_to_have_and_what_to_do() -> None:
    left = Standing(Stage.OTHER_SIDE_LEFT, Actor.SENDER_STAFF, DUE, None, other_left=True)
    to_do = "refer anew, then withdraw this one; next must act our staff; "
    said = sentence(case(left))
    assert f"went to public-health, which has left the register, so that nothing it says counts; {to_do}" in said
    never = sentence(case(replace(left, stage=Stage.UNDELIVERED)))
    assert f"cannot be delivered any more, because public-health has left the register; {to_do}" in never


def test_a_successor_of_an_agency_is_named() -> None:
    content = REGISTER.content
    agencies = [
        each if each.code != RECIPIENT else each.model_copy(update={"succeeded_by": SENDER})
        for each in content.agencies
    ]
    register = replace(REGISTER, content=content.model_copy(update={"agencies": tuple(agencies)}))
    assert anew(register, RECIPIENT) == f"refer anew to {SENDER}, then withdraw this one"
    assert anew(register, "an-agency-that-is-not-listed") == "refer anew, then withdraw this one"


def test_the_recipient_hears_that_the_sender_has_left() -> None:
    standing = Standing(Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, DUE, None, other_left=True)
    said = sentence(case(standing, Side.RECIPIENT, Status.ACCEPTED))
    assert "; family-women has left the register, so that it hears nothing of this any more; next must act" in said


def test_hand_overs_that_failed_for_good_at_the_recipient_do_not_go_on_by_themselves() -> None:
    standing = Standing(Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF, DUE, None, Code.HANDOVER_EXHAUSTED)
    said = sentence(case(standing))
    assert "; hand-overs there have failed for good, and the staff must look at the dead letters; next must act" in said
