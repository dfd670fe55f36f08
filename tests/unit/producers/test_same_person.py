"""The same person referred again to an agency where a referral of hers is open: noticed, never prevented."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from producers.publish import Published, publish
from referral_bus.ledger import tables
from schemas.referral_request import ReferralRequest
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER, THIRD, request_document
from tests.kit.traces import traces

SOMEONE_ELSE = "7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1bff"


def _request(recipient: str = RECIPIENT, subject: str | None = None, **changes: Any) -> ReferralRequest:
    document = request_document(recipient) | {name: changes.pop(name) for name in list(changes) if name != "replaces"}
    document["body"]["request"] |= changes
    if subject is not None:
        document["body"]["person"]["subject_ref"] = subject
    return ReferralRequest.model_validate_json(json.dumps(document))


def _publish(trio: Bench, *requests: ReferralRequest) -> list[Published]:
    station = trio[SENDER]
    return publish(station.ledger, station.register, requests, trio.clock, uuid4, "test")


def test_a_second_referral_while_one_is_open_names_the_open_one(trio: Bench) -> None:
    [first] = _publish(trio, _request())
    [second] = _publish(trio, _request())
    [third] = _publish(trio, _request())
    assert first.open_already == ()
    assert second.open_already == (first.referral_id,)
    assert set(third.open_already) == {first.referral_id, second.referral_id}


def test_of_two_in_one_list_the_second_names_the_first(trio: Bench) -> None:
    first, second = _publish(trio, _request(), _request())
    assert (first.open_already, second.open_already) == ((), (first.referral_id,))


def test_another_person_or_another_agency_is_no_reason(trio: Bench) -> None:
    _publish(trio, _request())
    for other in (_request(subject=SOMEONE_ELSE), _request(THIRD)):
        [published] = _publish(trio, other)
        assert published.open_already == ()


def test_one_that_has_ended_or_was_erased_is_no_reason(trio: Bench) -> None:
    [first] = _publish(trio, _request())
    trio.settle()
    trio[RECIPIENT].say("reject", first.referral_id, outcome_reason="no-capacity")
    trio.settle()
    [second] = _publish(trio, _request())
    assert second.open_already == ()
    trio[SENDER].withdraw(second.referral_id)
    [third] = _publish(trio, _request())
    assert third.open_already == ()


def test_one_that_is_replaced_or_asked_for_twice_under_one_key_is_no_reason(trio: Bench) -> None:
    keyed = _request(idempotency_key="case-17")
    [first] = _publish(trio, keyed)
    [again] = _publish(trio, keyed)
    assert (again.again, again.open_already) == (True, ())
    [second] = _publish(trio, _request(replaces=str(first.referral_id)))
    assert second.open_already == ()


def test_nothing_of_the_person_stays_readable_and_the_digest_goes_with_erasure(trio: Bench, tmp_path: Path) -> None:
    [first] = _publish(trio, _request(subject=SOMEONE_ELSE))
    assert traces([tmp_path], SOMEONE_ELSE) == []
    assert all(UUID(SOMEONE_ELSE).bytes not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    digest = _digests(trio)
    assert [len(each or b"") for each in digest] == [32]
    trio[SENDER].withdraw(first.referral_id)
    assert _digests(trio) == []


def test_the_digest_of_the_person_goes_when_the_referral_ends(trio: Bench) -> None:
    [first] = _publish(trio, _request())
    trio.settle()
    trio[RECIPIENT].say("see", first.referral_id)
    trio.settle()
    assert [len(each or b"") for each in _digests(trio)] == [32]
    trio[RECIPIENT].say("reject", first.referral_id, outcome_reason="no-capacity")
    trio.settle()
    assert _digests(trio) == [None]


def _digests(trio: Bench) -> list[bytes | None]:
    with trio[SENDER].ledger.read() as tx:
        return list(tx.connection.execute(sa.select(tables.referrals.c.subject_digest)).scalars())
