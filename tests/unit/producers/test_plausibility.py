"""What cannot be true is refused where it is written, and taken where it is received."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from producers.publish import publish
from referral_bus.errors import Reason, Refused, RefusedEach
from schemas.referral_request import ReferralRequest
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER, request, request_document

Spoil = Callable[[dict[str, Any], Bench], None]


def _publish(bench: Bench, *requests: ReferralRequest) -> None:
    station = bench[SENDER]
    publish(station.ledger, station.register, requests, bench.clock, uuid4, "test")


def _made(bench: Bench, spoil: Spoil) -> ReferralRequest:
    document = request_document(RECIPIENT)
    spoil(document, bench)
    return ReferralRequest.model_validate_json(json.dumps(document))


def _born(days: int) -> Spoil:
    def spoil(document: dict[str, Any], bench: Bench) -> None:
        document["body"]["person"]["date_of_birth"] = (bench.clock() + timedelta(days=days)).date().isoformat()

    return spoil


def _attested(minutes: int) -> Spoil:
    def spoil(document: dict[str, Any], bench: Bench) -> None:
        document["body"]["consent"]["attested_at"] = (bench.clock() + timedelta(minutes=minutes)).isoformat()

    return spoil


def _due(name: str, minutes: int) -> Spoil:
    def spoil(document: dict[str, Any], bench: Bench) -> None:
        document[name] = (bench.clock() + timedelta(minutes=minutes)).isoformat()

    return spoil


def _replaces_nothing(document: dict[str, Any], _: Bench) -> None:
    document["body"]["request"]["replaces"] = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("spoil", "reason", "path"),
    [
        (_born(2), Reason.VALUE_REFUSED, "body.person.date_of_birth"),
        (_attested(11), Reason.VALUE_REFUSED, "body.consent.attested_at"),
        (_due("acknowledge_by", -1), Reason.VALUE_REFUSED, "acknowledge_by"),
        (_due("respond_by", -1), Reason.VALUE_REFUSED, "respond_by"),
        (_replaces_nothing, Reason.REFERRAL_UNKNOWN, "body.request.replaces"),
    ],
    ids=["born", "attested", "acknowledge_by", "respond_by", "replaces"],
)
def test_what_cannot_be_true_is_refused_at_its_field(pair: Bench, spoil: Spoil, reason: Reason, path: str) -> None:
    with pytest.raises(Refused) as refused:
        _publish(pair, _made(pair, spoil))
    assert (refused.value.reason, refused.value.path) == (reason, path)


@pytest.mark.parametrize(
    "spoil", [_born(0), _attested(9), _due("acknowledge_by", 1)], ids=["born", "attested", "acknowledge_by"]
)
def test_what_may_be_true_is_taken(pair: Bench, spoil: Spoil) -> None:
    _publish(pair, _made(pair, spoil))


def test_what_replaces_an_open_or_an_erased_referral_of_ours_is_taken(pair: Bench) -> None:
    first = pair[SENDER].refer(RECIPIENT)
    for _ in range(2):
        body = request_document(RECIPIENT)["body"]
        body["request"]["replaces"] = str(first)
        _publish(pair, request(RECIPIENT, body=body))
        pair[SENDER].withdraw(first)


def test_every_mistake_of_a_list_is_named_up_to_twenty(pair: Bench) -> None:
    good, bad = request(RECIPIENT), _made(pair, _born(2))
    with pytest.raises(RefusedEach) as few:
        _publish(pair, bad, good, bad)
    paths = ["[0].body.person.date_of_birth", "[2].body.person.date_of_birth"]
    assert [each.path for each in few.value.each] == paths
    with pytest.raises(RefusedEach) as many:
        _publish(pair, *[bad] * 23)
    assert (len(many.value.each), many.value.left_out) == (20, 3)
    assert str(many.value).endswith("\nand 3 more mistakes")


def _word(pair: Bench, verb: str, **detail: object) -> Refused:
    referral_id = _stored(pair)
    if verb == "complete":
        pair[RECIPIENT].say("accept", referral_id)
    before = pair[RECIPIENT].history(referral_id)
    with pytest.raises(Refused) as refused:
        pair[RECIPIENT].say(verb, referral_id, **detail)
    assert pair[RECIPIENT].history(referral_id) == before
    return refused.value


def _stored(pair: Bench) -> UUID:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    return referral_id


def test_an_appointment_is_scheduled_for_a_time_to_come(pair: Bench) -> None:
    missing = _word(pair, "note", business_status="appointment-scheduled")
    assert (missing.reason, missing.path) == (Reason.FIELD_MISSING, "appointment.time")
    past = {"time": pair.clock() - timedelta(minutes=1)}
    over = _word(pair, "note", business_status="appointment-scheduled", appointment=past)
    assert (over.reason, over.path) == (Reason.VALUE_REFUSED, "appointment.time")


def test_a_word_about_an_appointment_that_was_is_taken(pair: Bench) -> None:
    past = {"time": pair.clock() - timedelta(days=1)}
    pair[RECIPIENT].say("note", _stored(pair), business_status="no-show", appointment=past)


def test_what_was_not_provided_has_a_reason(pair: Bench) -> None:
    error = _word(pair, "complete", outcome="not-provided")
    assert (error.reason, error.path) == (Reason.FIELD_MISSING, "outcome_reason")
    assert "client-declined" in error.advice


def test_only_an_agency_of_the_register_is_suggested(pair: Bench) -> None:
    error = _word(pair, "reject", outcome_reason="no-capacity", suggested_agency="no-such-agency")
    assert (error.reason, error.path) == (Reason.AGENCY_UNKNOWN, "suggested_agency")


def test_a_recipient_whose_clock_is_behind_takes_what_its_sender_could_say(pair: Bench) -> None:
    """By the recipient's clock the consent is attested tomorrow and the person is not yet born."""
    pair.clock.move(timedelta(days=2))
    referral_id = pair[SENDER].refer(RECIPIENT, body=_made(pair, _born(0)).body.model_dump(mode="json"))
    pair[SENDER].send()
    pair.clock.move(-timedelta(days=2))
    pair.settle()
    assert pair[RECIPIENT].history(referral_id)
