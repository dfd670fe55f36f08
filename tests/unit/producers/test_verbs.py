"""The verbs: judged at the mover's own side, said to the other side, and nothing is written when one is refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from producers.publish import publish
from producers.verbs import move
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import queries
from referral_bus.ledger.own_events import Writing
from schemas.events import ReferralKey
from schemas.lifecycle import APPOINTED, MOVE_BY_VERB, MOVES, NOTES, Move, Side, Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench, Station
from tests.kit.forge import a_referral, an_erasure, event_record, signed
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, THIRD, request, request_document

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


def _known_at_both(pair: Bench, *verbs: str) -> UUID:
    """A referral that RECIPIENT has stored and said these verbs about; everybody has heard everything."""
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    for verb in verbs:
        pair[RECIPIENT].say(verb, referral_id, **DETAIL.get(verb, {}))
    pair.settle()
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
def test_each_verb_reaches_the_other_side_with_its_status_and_its_words(pair: Bench, wanted: Move) -> None:
    source = _first_source(wanted)
    referral_id = _known_at_both(pair, *WAY_TO[source])
    if wanted.after_cancel_request:
        pair[SENDER].say("cancel", referral_id)
        pair.settle()
    mover, other = (SENDER, RECIPIENT) if wanted.by is Side.SENDER else (RECIPIENT, SENDER)
    detail = DETAIL.get(wanted.verb, {})
    pair[mover].say(wanted.verb, referral_id, **detail)
    pair.settle()
    assert pair[SENDER].status(referral_id) == pair[RECIPIENT].status(referral_id) == (wanted.to or source)
    heard = pair[other].history(referral_id)[-1]
    assert heard.status == (None if wanted.by is Side.SENDER else (wanted.to or source))
    said = detail | ({"business_status": wanted.business_status} if wanted.business_status else {})
    assert heard.body == StatusBody(**said)


def test_a_verb_belongs_to_one_side(pair: Bench) -> None:
    referral_id = _known_at_both(pair)
    for verb, wanted in MOVE_BY_VERB.items():
        wrong = RECIPIENT if wanted.by is Side.SENDER else SENDER
        error = _refusal(pair[wrong], verb, referral_id, **DETAIL.get(verb, {}))
        assert (error.reason, error.path) == (Reason.TRANSITION_REFUSED, verb)


def test_a_verb_that_the_status_does_not_allow_is_refused_before_it_is_sent(pair: Bench) -> None:
    referral_id = _known_at_both(pair)
    for verb in ("start", "hold", "resume", "fail", "complete"):
        assert _refusal(pair[RECIPIENT], verb, referral_id, **DETAIL.get(verb, {})).reason is Reason.TRANSITION_REFUSED


def test_a_cancellation_is_confirmed_or_refused_only_after_it_was_asked_for(pair: Bench) -> None:
    referral_id = _known_at_both(pair, "accept")
    for verb in ("confirm-cancel", "refuse-cancel"):
        assert _refusal(pair[RECIPIENT], verb, referral_id, **DETAIL.get(verb, {})).reason is Reason.TRANSITION_REFUSED


def test_a_refused_cancellation_is_settled_and_may_be_asked_for_again(pair: Bench) -> None:
    referral_id = _known_at_both(pair, "accept")
    for _ in range(2):
        pair[SENDER].say("cancel", referral_id)
        pair.settle()
        pair[RECIPIENT].say("refuse-cancel", referral_id, text="Synthetic reason.")
        pair.settle()
        assert _refusal(pair[RECIPIENT], "confirm-cancel", referral_id).reason is Reason.TRANSITION_REFUSED
    assert pair[SENDER].status(referral_id) == Status.ACCEPTED


def test_nothing_follows_an_ended_referral(pair: Bench) -> None:
    referral_id = _known_at_both(pair, "reject")
    for verb, wanted in MOVE_BY_VERB.items():
        mover = SENDER if wanted.by is Side.SENDER else RECIPIENT
        assert _refusal(pair[mover], verb, referral_id, **DETAIL.get(verb, {})).reason is Reason.TRANSITION_REFUSED


@pytest.mark.parametrize("wanted", [wanted for wanted in MOVES if wanted.needs], ids=lambda wanted: wanted.verb)
def test_a_verb_needs_what_it_needs(pair: Bench, wanted: Move) -> None:
    referral_id = _known_at_both(pair, *WAY_TO[_first_source(wanted)])
    if wanted.after_cancel_request:
        pair[SENDER].say("cancel", referral_id)
        pair.settle()
    mover = SENDER if wanted.by is Side.SENDER else RECIPIENT
    error = _refusal(pair[mover], wanted.verb, referral_id)
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
    pair: Bench, verb: str, detail: dict[str, str], reason: Reason, path: str
) -> None:
    error = _refusal(pair[RECIPIENT], verb, _known_at_both(pair), **detail)
    assert error.reason is reason
    assert PLANTED_NAME not in str(error)
    assert error.path == path or path == "no_such_field"


def test_every_kind_of_note_can_be_said(pair: Bench) -> None:
    referral_id = _known_at_both(pair)
    appointment = {"time": pair.clock() + timedelta(days=1)}
    for kind in sorted(NOTES):
        said = {"business_status": kind} | ({"appointment": appointment} if kind == APPOINTED else {})
        assert pair[RECIPIENT].say("note", referral_id, **said).status is Status.REQUESTED


def test_about_a_referral_that_its_recipient_has_refused_its_sender_says_nothing_more(pair: Bench) -> None:
    """Consent ends while the referral is on its way."""
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + timedelta(seconds=1)).isoformat()
    referral_id = pair[SENDER].refer(RECIPIENT, body=body)
    pair[SENDER].send()
    pair.clock.move(timedelta(seconds=1))
    pair.settle()
    pair.clock.move(-timedelta(seconds=1))
    assert _refusal(pair[SENDER], "cancel", referral_id).reason is Reason.TRANSITION_REFUSED


def _with_consent_over(pair: Bench, *verbs: str) -> UUID:
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + timedelta(hours=1)).isoformat()
    referral_id = pair[SENDER].refer(RECIPIENT, body=body)
    pair.settle()
    for verb in verbs:
        pair[RECIPIENT].say(verb, referral_id)
    pair.settle()
    pair.clock.move(timedelta(hours=1))
    return referral_id


def test_once_consent_is_over_the_recipients_status_travels_with_an_empty_body_and_needs_no_outcome(
    pair: Bench,
) -> None:
    referral_id = _with_consent_over(pair, "accept")
    error = _refusal(pair[RECIPIENT], "complete", referral_id, text=PLANTED_NAME)  # never dropped without a word
    assert error.reason is Reason.CONSENT_INVALID
    pair[RECIPIENT].say("complete", referral_id)
    pair.settle()
    assert pair[SENDER].status(referral_id) == Status.COMPLETED
    assert pair[SENDER].history(referral_id)[-1].body == StatusBody()
    assert pair[RECIPIENT].history(referral_id)[-1].body == StatusBody()


@pytest.mark.parametrize(("speaker", "verb"), [(SENDER, "answer"), (SENDER, "cancel"), (RECIPIENT, "note")])
def test_once_consent_is_over_nothing_is_said_but_a_new_status(pair: Bench, speaker: str, verb: str) -> None:
    error = _refusal(pair[speaker], verb, _with_consent_over(pair), **DETAIL.get(verb, {}))
    assert error.reason is Reason.CONSENT_INVALID


def test_an_id_that_names_no_referral_is_unknown(pair: Bench) -> None:
    for beginning in ("abcde", "not-an-id", "", "%", "000000"):
        with pytest.raises(Refused) as refused:
            move(pair[SENDER].ledger, "cancel", beginning, {}, Writing(pair.clock(), 1, uuid4), register=pair.register)
        assert refused.value.reason is Reason.REFERRAL_UNKNOWN


def test_an_id_may_be_shortened_to_what_is_unambiguous(pair: Bench) -> None:
    ids = (UUID(f"abcdef{number:02}-0000-4000-8000-000000000000") for number in range(100))
    station, writing = pair[SENDER], Writing(pair.clock(), pair.register.version, uuid4)
    asked = [request(RECIPIENT), request(RECIPIENT)]
    first, _ = publish(station.ledger, station.register, asked, pair.clock, ids.__next__, "test")
    moved = move(
        station.ledger,
        "cancel",
        str(first.referral_id)[:8].upper(),
        {},
        writing,
        local_ref="TEST-CASE-7",
        register=pair.register,
    )
    assert moved.key.referral_id == first.referral_id
    with station.ledger.read() as tx:
        assert queries.local_ref(tx, moved.key) == "TEST-CASE-7"
    with pytest.raises(Refused) as refused:
        move(station.ledger, "cancel", "abcdef", {}, writing, register=pair.register)
    assert refused.value.reason is Reason.REFERRAL_UNKNOWN


def _refused(pair: Bench, verb: str, name: str) -> Refused:
    with pytest.raises(Refused) as refused:
        move(pair[RECIPIENT].ledger, verb, name, {}, pair[RECIPIENT].writing(), register=pair.register)
    return refused.value


def test_of_two_agencies_referrals_with_one_id_each_is_answered_under_its_senders_name(trio: Bench) -> None:
    """Else whoever knows an id could make its referral impossible to answer."""
    referral_id = _known_at_both(trio)
    trio[RECIPIENT].take(event_record(trio, a_referral(trio, THIRD, RECIPIENT, referral_id=referral_id)))
    error = _refused(trio, "accept", str(referral_id))
    assert error.reason is Reason.REFERRAL_UNKNOWN
    assert f"{SENDER}/ID" in error.advice
    assert f"{THIRD}/ID" in error.advice
    for sender, name in ((SENDER, str(referral_id)), (THIRD, str(referral_id)[:6])):
        moved = move(
            trio[RECIPIENT].ledger, "accept", f"{sender}/{name}", {}, trio[RECIPIENT].writing(), register=trio.register
        )
        assert moved.key == (sender, referral_id)
    for wrong in ("nobody", "", f"x/{SENDER}"):
        assert _refused(trio, "start", f"{wrong}/{referral_id}").reason is Reason.REFERRAL_UNKNOWN


def test_another_agencys_tombstone_with_the_same_id_hinders_no_answer(trio: Bench) -> None:
    referral_id = _known_at_both(trio)
    erased = an_erasure(trio, ReferralKey(THIRD, referral_id), THIRD, RECIPIENT, (1, 1))
    trio[RECIPIENT].take(signed(trio, erased))
    assert trio[RECIPIENT].say("accept", referral_id).key == (SENDER, referral_id)
    assert _refused(trio, "accept", f"{THIRD}/{referral_id}").reason is Reason.REFERRAL_ERASED
