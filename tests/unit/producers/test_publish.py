"""Publishing: every check, each the only one that fails, and nothing is written when one does."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from producers.publish import Published, publish
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import queries
from schemas.deadlines import acknowledge_by, respond_by
from schemas.lifecycle import Side
from schemas.referral_request import ReferralRequest
from tests.kit.bench import Bench
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, THIRD, request, request_document
from tests.kit.registers import changed, without_agreement


def _publish(trio: Bench, *requests: ReferralRequest, caller: str = "test") -> list[Published]:
    station = trio[SENDER]
    return publish(station.ledger, station.register, requests, trio.clock, uuid4, caller)


def _count(trio: Bench, table: str = "events") -> int:
    with trio[SENDER].ledger.read() as tx:
        return int(tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608


def _refusal(trio: Bench, *requests: ReferralRequest) -> Refused:
    with pytest.raises(Refused) as refused:
        _publish(trio, *requests)
    assert [_count(trio, table) for table in ("events", "referrals", "outbox", "places", "idempotency")] == [0] * 5
    assert PLANTED_NAME not in str(refused.value)
    return refused.value


def _broken(change: Callable[[dict[str, Any]], None]) -> ReferralRequest:
    document = request_document(RECIPIENT)
    change(document)
    return ReferralRequest.model_validate_json(json.dumps(document))


def test_a_referral_is_durable_with_its_event_its_place_and_its_outbox_row_when_publish_returns(trio: Bench) -> None:
    [published] = _publish(trio, request(RECIPIENT))
    assert not published.again
    assert [_count(trio, table) for table in ("events", "referrals", "outbox", "places")] == [1] * 4
    [step] = trio[SENDER].history(published.referral_id)
    assert (step.place, step.state, step.way) == ((1, 1), "new", "sent")


def test_an_unknown_code_is_refused_with_its_path(trio: Bench) -> None:
    error = _refusal(trio, request(RECIPIENT, service_types=["mhpss", "no-such-service"]))
    assert (error.reason, error.path) == (Reason.CODE_UNKNOWN, "body.request.service_types[1]")


def test_an_agency_that_no_register_has_is_refused(trio: Bench) -> None:
    error = _refusal(trio, request("no-such-agency"))
    assert (error.reason, error.path) == (Reason.AGENCY_UNKNOWN, "recipient")


def test_an_agency_that_receives_no_referrals_is_refused(trio: Bench) -> None:
    agencies = tuple(
        agency.model_copy(update={"receives_referrals": agency.code != RECIPIENT})
        for agency in trio.register.content.agencies
    )
    trio.register = changed(trio.register, agencies=agencies)
    assert _refusal(trio, request(RECIPIENT)).reason is Reason.RECEIVES_NO_REFERRALS


def test_an_expired_register_starts_no_referral(trio: Bench) -> None:
    trio.register = changed(trio.register, expires_at=trio.clock())
    assert _refusal(trio, request(RECIPIENT)).reason is Reason.REGISTER_EXPIRED


def test_without_an_agreement_in_force_nothing_is_referred(trio: Bench) -> None:
    trio.register = without_agreement(trio.register, SENDER, RECIPIENT)
    error = _refusal(trio, request(RECIPIENT))
    assert (error.reason, error.path) == (Reason.NOT_AGREED, "recipient")


def test_consent_names_this_recipient(trio: Bench) -> None:
    error = _refusal(trio, _broken(lambda document: document["body"]["consent"].update(recipient=THIRD)))
    assert (error.reason, error.path) == (Reason.CONSENT_INVALID, "body.consent.recipient")


def test_consent_that_has_expired_is_refused(trio: Bench) -> None:
    expires_at = trio.clock().isoformat()
    error = _refusal(trio, _broken(lambda document: document["body"]["consent"].update(expires_at=expires_at)))
    assert (error.reason, error.path) == (Reason.CONSENT_INVALID, "body.consent.expires_at")


def test_an_answer_is_not_due_before_the_first_word(trio: Bench) -> None:
    """The priority's own deadline for the first word counts against an answer that is asked for earlier."""
    error = _refusal(trio, request(RECIPIENT, respond_by=(trio.clock() + timedelta(hours=1)).isoformat()))
    assert (error.reason, error.path) == (Reason.VALUE_REFUSED, "respond_by")


def test_a_body_over_16_kib_is_refused_before_it_is_accepted(trio: Bench) -> None:
    def overfull(document: dict[str, Any]) -> None:
        """Every text as long as it may be, in signs of four bytes each."""
        body = document["body"]
        body["person"] |= {"name": "😀" * 200, "specific_need": "😀" * 500}
        body["caregiver"] = {"name": "😀" * 200, "caregiver_informed": False, "why_not": "😀" * 300}
        body["safe_contact"] |= {"who_may_answer": "😀" * 200, "do_not_contact": "😀" * 200}
        body["request"] |= {"need": "😀" * 1500, "already_provided": "😀" * 500, "other_referrals": "😀" * 500}
        body["follow_up"] = {"information_agreed": "😀" * 500}

    error = _refusal(trio, _broken(overfull))
    assert (error.reason, error.path) == (Reason.TOO_LARGE, "body")


def test_a_list_is_taken_whole_or_not_at_all_and_the_place_at_fault_is_named(trio: Bench) -> None:
    error = _refusal(trio, request(RECIPIENT), request(THIRD), request("no-such-agency"))
    assert error.path == "[2].recipient"
    assert len(_publish(trio, request(RECIPIENT), request(THIRD))) == 2
    assert _count(trio) == 2


def _deadlines(trio: Bench, published: Published) -> tuple[datetime, datetime]:
    with trio[SENDER].ledger.read() as tx:
        [referral] = queries.open_referrals(tx, Side.SENDER)
    assert referral.key.referral_id == published.referral_id
    return referral.acknowledge_by, referral.respond_by


def test_the_deadlines_are_those_of_the_priority_unless_the_sender_says_otherwise(trio: Bench) -> None:
    now = trio.clock()
    [published] = _publish(trio, request(RECIPIENT, priority="stat"))
    assert _deadlines(trio, published) == (acknowledge_by("stat", now), respond_by("stat", now))


def test_deadlines_of_its_own_go_before_those_of_the_priority(trio: Bench) -> None:
    wanted = tuple(trio.clock() + timedelta(hours=hours) for hours in (1, 2))
    own = dict(zip(("acknowledge_by", "respond_by"), (each.isoformat() for each in wanted), strict=True))
    [published] = _publish(trio, request(RECIPIENT, **own))
    assert _deadlines(trio, published) == wanted


def test_our_own_case_number_is_kept_and_never_sent(trio: Bench) -> None:
    [published] = _publish(trio, request(RECIPIENT, local_ref="TEST-CASE-0042"))
    with trio[SENDER].ledger.read() as tx:
        assert queries.local_ref(tx, trio[SENDER].key(published.referral_id)) == "TEST-CASE-0042"
    trio.settle()
    with trio[RECIPIENT].ledger.read() as tx:
        assert queries.local_ref(tx, trio[RECIPIENT].key(published.referral_id)) is None


def test_the_same_request_under_the_same_key_is_answered_once(trio: Bench) -> None:
    asked = request(RECIPIENT, idempotency_key="key-1")
    [first], [again] = _publish(trio, asked), _publish(trio, asked)
    assert (first.again, again.again) == (False, True)
    assert first.referral_id == again.referral_id
    assert _count(trio) == 1


def test_another_request_under_the_same_key_is_refused(trio: Bench) -> None:
    _publish(trio, request(RECIPIENT, idempotency_key="key-1"))
    with pytest.raises(Refused) as refused:
        _publish(trio, request(RECIPIENT, idempotency_key="key-1", priority="routine"))
    assert (refused.value.reason, refused.value.path) == (Reason.IDEMPOTENCY_KEY_REUSED, "idempotency_key")
    assert _count(trio) == 1


def test_a_key_belongs_to_its_caller(trio: Bench) -> None:
    asked = request(RECIPIENT, idempotency_key="key-1")
    [ours], [theirs] = _publish(trio, asked, caller="one"), _publish(trio, asked, caller="another")
    assert ours.referral_id != theirs.referral_id


def test_the_same_key_twice_in_one_list_is_one_referral(trio: Bench) -> None:
    asked = request(RECIPIENT, idempotency_key="key-1")
    first, again = _publish(trio, asked, asked)
    assert (first.referral_id, again.again) == (again.referral_id, True)
    assert _count(trio) == 1


def test_the_same_key_for_two_requests_of_one_list_is_refused_at_the_second(trio: Bench) -> None:
    asked, other = (request(RECIPIENT, idempotency_key="key-1", need=need) for need in ("One.", "Another."))
    error = _refusal(trio, asked, other)
    assert (error.reason, error.path) == (Reason.IDEMPOTENCY_KEY_REUSED, "[1].idempotency_key")


def test_a_repeated_request_gets_its_answer_even_when_it_could_not_be_made_any_more(trio: Bench) -> None:
    """Its first answer was lost, and meanwhile the agreement has ended: the referral is under way all the same."""
    asked = request(RECIPIENT, idempotency_key="key-1")
    [first] = _publish(trio, asked)
    trio.register = without_agreement(trio.register, SENDER, RECIPIENT)
    [again] = _publish(trio, asked)
    assert again == Published(first.referral_id, again=True)
