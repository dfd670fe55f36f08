"""What `publish` does not take: one line naming the code and the field, and nothing written."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from referral_bus.clock import system_clock
from tests.kit.command import PLANTED, Command, Ended, assert_refused
from tests.kit.homes import NOT_AGREED, RECEIVES_NONE, RECIPIENT, Agency
from tests.kit.people import request_document
from tests.unit.deploy.app.conftest import Federation

Publish = Callable[..., Ended]


@pytest.fixture
def publish(federation: Federation, command: Command, tmp_path: Path) -> Publish:
    """Hands in a document, and looks that a refused one has changed nothing."""

    def hand_in(document: Any, agency: Agency = federation.sender) -> Ended:
        file = tmp_path / f"{PLANTED}.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        before = agency.rows()
        said = command(agency, "publish", file)
        assert (agency.rows() == before) == (said.code != 0)
        return said

    return hand_in


def changed(path: str, value: Any, recipient: str = RECIPIENT) -> dict[str, Any]:
    """A good request but for one field; None takes the field away."""
    document = request_document(recipient)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


def hours_ago(hours: int) -> str:
    return (system_clock() - timedelta(hours=hours)).isoformat()


def test_a_good_one_is_published(publish: Publish) -> None:
    assert publish(request_document(RECIPIENT)).code == 0


FIELDS = [
    ("body.request.service_types", ["mhpss", "planted-7731"], "CODE_UNKNOWN", "body.request.service_types[1]"),
    ("priority", "planted-7731", "CODE_UNKNOWN", "priority"),
    ("recipient", "planted-7731", "AGENCY_UNKNOWN", "recipient"),
    ("recipient", RECEIVES_NONE, "RECEIVES_NO_REFERRALS", "recipient"),
    ("recipient", f"{PLANTED} and more", "VALUE_REFUSED", "recipient"),
    ("body.consent", None, "FIELD_MISSING", "body.consent"),
    ("body.consent.expires_at", "2030-01-01T10:00:00", "TIME_NAIVE", "body.consent.expires_at"),
    ("body.consent.expires_at", f"{PLANTED}", "VALUE_REFUSED", "body.consent.expires_at"),
    ("body.consent.recipient", NOT_AGREED, "CONSENT_INVALID", "body.consent.recipient"),
    ("body.person.name", 7731, "TYPE_WRONG", "body.person.name"),
    ("body.person.name", [PLANTED], "TYPE_WRONG", "body.person.name"),
    ("body.person.date_of_birth", 7731, "TYPE_WRONG", "body.person.date_of_birth"),
    ("body.person.age_estimate", 77.31, "TYPE_WRONG", "body.person.age_estimate"),
    ("body.person.subject_ref", PLANTED, "VALUE_REFUSED", "body.person.subject_ref"),
    ("body.safe_contact.may_leave_message", "yes", "TYPE_WRONG", "body.safe_contact.may_leave_message"),
    ("body.person.planted_7731", PLANTED, "FIELD_UNKNOWN", "body.person"),
    (f"{PLANTED}", 1, "FIELD_UNKNOWN", None),
    ("body.request.need", PLANTED * 200, "TOO_LARGE", "body.request.need"),
    ("body.person.name", f"{PLANTED}\u202e{PLANTED}", "VALUE_REFUSED", "body.person.name"),
    ("body.person.name", f"{PLANTED}\x1b[2J", "VALUE_REFUSED", "body.person.name"),
    ("respond_by", "2026-01-01T00:00:00Z", "VALUE_REFUSED", "respond_by"),
    ("idempotency_key", f"{PLANTED} has blanks", "VALUE_REFUSED", "idempotency_key"),
    ("body", PLANTED, "TYPE_WRONG", "body"),
]


@pytest.mark.parametrize(("path", "value", "reason", "at"), FIELDS, ids=[f"{row[0]}-{row[2]}" for row in FIELDS])
def test_a_wrong_field_is_named_and_nothing_is_written(
    path: str, value: Any, reason: str, at: str | None, publish: Publish
) -> None:
    assert_refused(publish(changed(path, value)), reason, at, "planted-7731", "planted_7731", "7731")


def test_consent_that_has_expired_is_refused(publish: Publish) -> None:
    document = changed("body.consent.expires_at", hours_ago(1))
    document["body"]["consent"]["attested_at"] = hours_ago(30)
    assert_refused(publish(document), "CONSENT_INVALID", "body.consent.expires_at")


def test_an_agency_without_an_agreement_is_refused(publish: Publish, federation: Federation) -> None:
    assert_refused(publish(request_document(NOT_AGREED), federation.other), "NOT_AGREED", "recipient")


def test_a_body_of_too_many_long_texts_is_refused_as_a_whole(publish: Publish) -> None:
    """Each text is short enough; `ReferralBody` in four-byte letters is not."""
    document = changed("body.request.need", "𝔭" * 1500)
    for field in ("already_provided", "other_referrals", "accompaniment"):
        document["body"]["request"][field] = "𝔭" * 300
    document["body"]["consent"] |= {"kind": "best-interests"}
    document["body"]["consent"] |= {"best_interests_reason": "𝔭" * 600, "best_interests_approver": "𝔭" * 120}
    document["body"]["person"] |= {"name": "𝔭" * 200, "specific_need": "𝔭" * 500}
    document["body"]["safe_contact"] |= {"do_not_contact": "𝔭" * 200, "who_may_answer": "𝔭" * 200}
    document["body"]["caregiver"] = {"caregiver_informed": False, "why_not": "𝔭" * 300, "name": "𝔭" * 200}
    assert_refused(publish(document), "TOO_LARGE", "body", "𝔭")


def test_a_list_whose_third_is_wrong_starts_none(publish: Publish) -> None:
    good = request_document(RECIPIENT)
    assert_refused(publish([good, good, changed("body.consent", None)]), "FIELD_MISSING", "[2].body.consent")
    unknown = changed("body.request.service_types", ["planted-7731"])
    path = "[2].body.request.service_types[0]"
    assert_refused(publish([good, good, unknown]), "CODE_UNKNOWN", path, "planted-7731")
    assert_refused(publish([good, good, request_document(RECEIVES_NONE)]), "RECEIVES_NO_REFERRALS", "[2].recipient")


def test_an_idempotency_key_stands_for_one_request(publish: Publish) -> None:
    first = publish(changed("idempotency_key", PLANTED))
    assert first.code == 0
    assert_refused(
        publish(changed("idempotency_key", PLANTED) | {"priority": "routine"}),
        "IDEMPOTENCY_KEY_REUSED",
        "idempotency_key",
    )


def test_an_agency_whose_intake_is_off_publishes_nothing(publish: Publish, federation: Federation) -> None:
    with (federation.sender.home / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write("producer = false\n")
    assert_refused(publish(request_document(RECIPIENT)), "STARTS_NO_REFERRALS", "producer")


def test_of_a_list_every_mistake_has_a_line_or_is_a_problem_in_json(
    publish: Publish, federation: Federation, command: Command, tmp_path: Path
) -> None:
    wrong = [changed("priority", "soon"), changed("body.person.date_of_birth", "4444-03-24")]
    said = publish(wrong)
    paths = ["[0].priority", "[1].body.person.date_of_birth"]
    assert said.code == 2
    assert [line.split(" at ")[1].split(":")[0] for line in said.err.splitlines()] == paths
    (tmp_path / "wrong.json").write_text(json.dumps(wrong), encoding="utf-8")
    document = json.loads(command(federation.sender, "publish", tmp_path / "wrong.json", "--json").err)
    assert [each["path"] for each in document["error"]["problems"]] == paths


def test_what_cannot_be_true_is_named_beside_mistakes_of_form(publish: Publish) -> None:
    document = request_document("planted-7731")
    document |= {"acknowledge_by": "2020-01-01T00:00:00+05:00", "respond_by": "2031-01-01T00:00:00"}
    said = publish(document)
    assert said.code == 2
    assert {tuple(line.split(": ")[1].split(" at ")) for line in said.err.splitlines()} == {
        ("TIME_NAIVE", "respond_by"),
        ("AGENCY_UNKNOWN", "recipient"),
        ("VALUE_REFUSED", "acknowledge_by"),
    }


def test_what_cannot_be_true_is_named_in_a_list_at_its_place(publish: Publish) -> None:
    late = changed("acknowledge_by", hours_ago(1))
    said = publish([late, changed("body.request.need", None)])
    assert [line.split(": ")[1].split(" at ")[1] for line in said.err.splitlines()] == [
        "[0].acknowledge_by",
        "[1].body.request.need",
    ]


def test_mistakes_of_consent_and_of_birth_are_named_beside_mistakes_of_form(publish: Publish) -> None:
    """Even in the same record: a rule is judged where the fields that it asks for are well formed."""
    document = changed("body.consent.recipient", NOT_AGREED)
    document["body"]["consent"] |= {"attested_by": 7731, "kind": "best-interests", "expires_at": hours_ago(1)}
    document["body"]["consent"] |= {"purposes": ["planted-7731"], "attested_at": "2099-01-01T00:00:00Z"}
    document["body"]["person"] |= {"date_of_birth": "4444-03-24", "age_estimate": 10, "name": 7731}
    said = publish(document)
    assert {tuple(line.split(": ")[1].split(" at ")) for line in said.err.splitlines()} == {
        ("TYPE_WRONG", "body.consent.attested_by"),
        ("TYPE_WRONG", "body.person.name"),
        ("VALUE_REFUSED", "body.consent.expires_at"),
        ("VALUE_REFUSED", "body.consent.best_interests_reason"),
        ("VALUE_REFUSED", "body.consent.best_interests_approver"),
        ("VALUE_REFUSED", "body.consent.attested_at"),
        ("CONSENT_INVALID", "body.consent.recipient"),
        ("CODE_UNKNOWN", "body.consent.purposes[0]"),
        ("VALUE_REFUSED", "body.person.age_estimate"),
        ("VALUE_REFUSED", "body.person.date_of_birth"),
    }
    assert "7731" not in said.err


def test_a_rule_that_asks_for_a_malformed_field_is_not_judged(publish: Publish) -> None:
    document = changed("body.person.age_estimate", "PLANTED-7731")
    document["body"]["consent"]["attested_at"] = "PLANTED-7731"
    said = publish(document)
    paths = {line.split(": ")[1].split(" at ")[1] for line in said.err.splitlines()}
    assert paths == {"body.person.age_estimate", "body.consent.attested_at"}
