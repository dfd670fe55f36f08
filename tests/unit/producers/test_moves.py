"""The verbs: judged at the mover's own side, said to the other side, and nothing is written when one is refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from producers.moves import move
from producers.publish import publish
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import looking
from referral_bus.ledger.writing import Writing
from schemas.lifecycle import MOVE_BY_VERB, MOVES, NOTES, Move, Side, Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench, Station
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, request, request_document

DETAIL: dict[str, dict[str, Any]] = {
    "reject": {"outcome_reason": "no-capacity"},
    "fail": {"outcome_reason": "client-not-reached"},
    "hold": {"text": "Synthetic reason."},
    "complete": {"outcome": "provided"},
    "note": {"business_status": "waitlisted"},
    "ask": {"text": "Synthetic question?"},
    "answer": {"text": "Synthetic answer."},
    "refuse-cancel": {"text": "Synthetic reason."},
}
WAY_TO: dict[Status, tuple[str, ...]] = {
    Status.REQUESTED: (),
    Status.RECEIVED: ("see",),
    Status.ACCEPTED: ("accept",),
    Status.IN_PROGRESS: ("accept", "start"),
    Status.ON_HOLD: ("accept", "start", "hold"),
    Status.REJECTED: ("reject",),
}


def _known_at_both(trio: Bench, *verbs: str) -> UUID:
    """A referral that RECIPIENT has stored and said these verbs about; everybody has heard everything."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    for verb in verbs:
        trio[RECIPIENT].say(verb, referral_id, **DETAIL.get(verb, {}))
    trio.settle()
    return referral_id


def _refusal(station: Station, verb: str, referral_id: UUID, **detail: object) -> Refused:
    before = station.history(referral_id)
    with pytest.raises(Refused) as refused:
        station.say(verb, referral_id, **detail)
    assert station.history(referral_id) == before
    return refused.value


def _first_source(wanted: Move) -> Status:
    """A status from which the verb is legal, and from which a cancellation is not answered by the service."""
    late = [status for status in (Status.ACCEPTED, Status.IN_PROGRESS, Status.ON_HOLD) if status in wanted.source]
    return late[0] if late else Status.REQUESTED


@pytest.mark.parametrize("wanted", MOVES, ids=lambda wanted: wanted.verb)
def test_each_verb_reaches_the_other_side_with_its_status_and_its_words(trio: Bench, wanted: Move) -> None:
    source = _first_source(wanted)
    referral_id = _known_at_both(trio, *WAY_TO[source])
    if wanted.after_cancel_request:
        trio[SENDER].say("cancel", referral_id)
        trio.settle()
    mover, other = (SENDER, RECIPIENT) if wanted.by is Side.SENDER else (RECIPIENT, SENDER)
    detail = DETAIL.get(wanted.verb, {})
    trio[mover].say(wanted.verb, referral_id, **detail)
    trio.settle()
    assert trio[SENDER].status(referral_id) == trio[RECIPIENT].status(referral_id) == (wanted.to or source)
    heard = trio[other].history(referral_id)[-1]
    assert heard.status == (None if wanted.by is Side.SENDER else (wanted.to or source))
    said = detail | ({"business_status": wanted.business_status} if wanted.business_status else {})
    assert heard.body == StatusBody(**said)


@pytest.mark.parametrize("wanted", MOVES, ids=lambda wanted: wanted.verb)
def test_a_verb_belongs_to_one_side(trio: Bench, wanted: Move) -> None:
    referral_id = _known_at_both(trio)
    wrong = RECIPIENT if wanted.by is Side.SENDER else SENDER
    error = _refusal(trio[wrong], wanted.verb, referral_id, **DETAIL.get(wanted.verb, {}))
    assert (error.reason, error.path) == (Reason.TRANSITION_REFUSED, wanted.verb)


@pytest.mark.parametrize("verb", ["start", "resume", "fail", "complete"])
def test_a_verb_that_the_status_does_not_allow_is_refused_before_it_is_sent(trio: Bench, verb: str) -> None:
    error = _refusal(trio[RECIPIENT], verb, _known_at_both(trio), **DETAIL.get(verb, {}))
    assert error.reason is Reason.TRANSITION_REFUSED


@pytest.mark.parametrize("verb", ["confirm-cancel", "refuse-cancel"])
def test_a_cancellation_is_confirmed_or_refused_only_after_it_was_asked_for(trio: Bench, verb: str) -> None:
    error = _refusal(trio[RECIPIENT], verb, _known_at_both(trio, "accept"), **DETAIL.get(verb, {}))
    assert error.reason is Reason.TRANSITION_REFUSED


def test_a_refused_cancellation_is_settled_and_may_be_asked_for_again(trio: Bench) -> None:
    referral_id = _known_at_both(trio, "accept")
    for _ in range(2):
        trio[SENDER].say("cancel", referral_id)
        trio.settle()
        trio[RECIPIENT].say("refuse-cancel", referral_id, text="Synthetic reason.")
        trio.settle()
        assert _refusal(trio[RECIPIENT], "confirm-cancel", referral_id).reason is Reason.TRANSITION_REFUSED
    assert trio[SENDER].status(referral_id) == Status.ACCEPTED


@pytest.mark.parametrize("verb", [verb for verb, wanted in MOVE_BY_VERB.items() if wanted.by is Side.RECIPIENT])
def test_nothing_follows_an_ended_referral(trio: Bench, verb: str) -> None:
    referral_id = _known_at_both(trio, "reject")
    assert _refusal(trio[RECIPIENT], verb, referral_id, **DETAIL.get(verb, {})).reason is Reason.TRANSITION_REFUSED


@pytest.mark.parametrize("wanted", [wanted for wanted in MOVES if wanted.needs], ids=lambda wanted: wanted.verb)
def test_a_verb_needs_what_it_needs(trio: Bench, wanted: Move) -> None:
    referral_id = _known_at_both(trio, *WAY_TO[_first_source(wanted)])
    if wanted.after_cancel_request:
        trio[SENDER].say("cancel", referral_id)
        trio.settle()
    mover = SENDER if wanted.by is Side.SENDER else RECIPIENT
    error = _refusal(trio[mover], wanted.verb, referral_id)
    assert (error.reason, error.path) == (Reason.FIELD_MISSING, wanted.needs[0])


@pytest.mark.parametrize(
    ("verb", "detail", "reason", "path"),
    [
        ("reject", {"outcome_reason": "because"}, Reason.CODE_UNKNOWN, "outcome_reason"),
        ("note", {"business_status": "cancellation-requested"}, Reason.CODE_UNKNOWN, "business_status"),
        ("accept", {"business_status": "waitlisted"}, Reason.FIELD_UNKNOWN, "business_status"),
        ("ask", {"text": "?", "business_status": "waitlisted"}, Reason.FIELD_UNKNOWN, "business_status"),
        ("accept", {"text": PLANTED_NAME * 100}, Reason.VALUE_REFUSED, "text"),
        ("accept", {"no_such_field": PLANTED_NAME}, Reason.VALUE_REFUSED, "no_such_field"),
    ],
)
def test_a_wrong_detail_is_refused_by_its_field_and_never_quoted(
    trio: Bench, verb: str, detail: dict[str, str], reason: Reason, path: str
) -> None:
    error = _refusal(trio[RECIPIENT], verb, _known_at_both(trio), **detail)
    assert error.reason is reason
    assert PLANTED_NAME not in str(error)
    assert error.path == path or path == "no_such_field"


@pytest.mark.parametrize("kind", sorted(NOTES))
def test_every_kind_of_note_can_be_said(trio: Bench, kind: str) -> None:
    referral_id = _known_at_both(trio)
    assert trio[RECIPIENT].say("note", referral_id, business_status=kind).status is Status.REQUESTED


def test_about_a_referral_that_its_recipient_has_refused_its_sender_says_nothing_more(trio: Bench) -> None:
    """Refused there by another clock: consent ends while the referral is on its way."""
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (trio.clock() + timedelta(seconds=1)).isoformat()
    referral_id = trio[SENDER].refer(RECIPIENT, body=body)
    trio.clock.move(timedelta(seconds=1))
    trio.settle()
    trio.clock.move(-timedelta(seconds=1))
    assert _refusal(trio[SENDER], "cancel", referral_id).reason is Reason.TRANSITION_REFUSED


def _with_consent_over(trio: Bench, *verbs: str) -> UUID:
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (trio.clock() + timedelta(hours=1)).isoformat()
    referral_id = trio[SENDER].refer(RECIPIENT, body=body)
    trio.settle()
    for verb in verbs:
        trio[RECIPIENT].say(verb, referral_id)
    trio.settle()
    trio.clock.move(timedelta(hours=1))
    return referral_id


def test_once_consent_is_over_the_recipients_status_travels_with_an_empty_body_and_needs_no_outcome(
    trio: Bench,
) -> None:
    referral_id = _with_consent_over(trio, "accept")
    error = _refusal(trio[RECIPIENT], "complete", referral_id, text=PLANTED_NAME)  # never dropped without a word
    assert error.reason is Reason.CONSENT_INVALID
    trio[RECIPIENT].say("complete", referral_id)
    trio.settle()
    assert trio[SENDER].status(referral_id) == Status.COMPLETED
    assert trio[SENDER].history(referral_id)[-1].body == StatusBody()
    assert trio[RECIPIENT].history(referral_id)[-1].body == StatusBody()


@pytest.mark.parametrize(("speaker", "verb"), [(SENDER, "answer"), (SENDER, "cancel"), (RECIPIENT, "note")])
def test_once_consent_is_over_nothing_is_said_but_a_new_status(trio: Bench, speaker: str, verb: str) -> None:
    error = _refusal(trio[speaker], verb, _with_consent_over(trio), **DETAIL.get(verb, {}))
    assert error.reason is Reason.CONSENT_INVALID


@pytest.mark.parametrize("beginning", ["abcde", "not-an-id", "", "%", "000000"])
def test_an_id_that_names_no_referral_is_unknown(trio: Bench, beginning: str) -> None:
    with pytest.raises(Refused) as refused:
        move(trio[SENDER].ledger, "cancel", beginning, {}, Writing(trio.clock(), 1, lambda: UUID(int=0)))
    assert refused.value.reason is Reason.REFERRAL_UNKNOWN


def test_an_id_may_be_shortened_to_what_is_unambiguous(trio: Bench) -> None:
    ids = (UUID(f"abcdef{number:02}-0000-4000-8000-000000000000") for number in range(100))
    station, writing = trio[SENDER], Writing(trio.clock(), trio.register.version, uuid4)
    asked = [request(RECIPIENT), request(RECIPIENT)]
    first, _ = publish(station.ledger, station.register, asked, trio.clock, ids.__next__, "test")
    moved = move(station.ledger, "cancel", str(first.referral_id)[:8].upper(), {}, writing, local_ref="TEST-CASE-7")
    assert moved.key.referral_id == first.referral_id
    with station.ledger.read() as tx:
        assert looking.local_ref(tx, moved.key) == "TEST-CASE-7"
    with pytest.raises(Refused) as refused:
        move(station.ledger, "cancel", "abcdef", {}, writing)
    assert refused.value.reason is Reason.REFERRAL_UNKNOWN
