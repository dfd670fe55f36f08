"""A second try of the very same is answered as the first: by its idempotency key, or within ten minutes."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from deploy.app.agency_client import AgencyClient, open_client
from producers.verbs import Asked
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import tables
from referral_bus.ledger.repeated_requests import WINDOW, Repeat
from referral_bus.ledger.retention import Retention, retain
from schemas.lifecycle import ErasureReason
from tests.kit.command import Command
from tests.kit.homes import RECIPIENT, Agency, Post
from tests.kit.people import request, request_document
from tests.unit.deploy.app.conftest import Federation


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "referral.json"
    path.write_text(json.dumps(request_document(RECIPIENT)))
    return path


def test_the_very_same_file_starts_one_referral_and_says_how_to_mean_two(
    file: Path, federation: Federation, command: Command
) -> None:
    first = command(federation.sender, "publish", file)
    second = command(federation.sender, "publish", file)
    assert (first.code, second.code) == (0, 0)
    assert second.out.split()[0] == first.out.split()[0]
    assert "was published before" in second.out
    assert "--again" in second.err
    [meant] = command(federation.sender, "publish", file, "--again", "--json").document
    assert not meant["again"]
    assert meant["referral_id"] != first.out.split()[0]
    [third] = json.loads(command(federation.sender, "publish", file, "--json").out)
    assert (third["referral_id"], third["again"]) == (meant["referral_id"], True)


def test_another_request_is_another_referral(federation: Federation, command: Command, tmp_path: Path) -> None:
    for place, reference in enumerate(("case 1", "case 2", "case 1")):
        path = tmp_path / f"{place}.json"
        path.write_text(json.dumps(request_document(RECIPIENT) | {"local_ref": reference}))
        [published] = json.loads(command(federation.sender, "publish", path, "--json").out)
        assert published["again"] is (place == 2)


class Clocked:
    """An agency client whose clock the test moves."""

    def __init__(self, home: Path) -> None:
        self.after = timedelta(0)
        self.client: AgencyClient = open_client(home, lambda: system_clock() + self.after)

    def publish(self, count: int = 1) -> list[bool]:
        requests = [request(RECIPIENT, need=f"Synthetic need {number}.") for number in range(count)]
        return [each.again for each in self.client.publish(requests, repeat=Repeat.IS_NOTICED)]

    def remembered(self) -> int:
        with self.client.ledger.read() as tx:
            return tx.connection.execute(sa.select(sa.func.count()).select_from(tables.repeated_requests)).scalar_one()


@pytest.fixture
def clocked(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Clocked:
    made = Clocked(federation.sender.home)
    fixed = request(RECIPIENT)
    monkeypatch.setattr("tests.unit.deploy.app.test_second_tries.request", _like(fixed))
    return made


def _like(fixed: Any) -> Callable[..., Any]:
    def again(_: str, need: str) -> Any:
        body = fixed.body.model_copy(update={"request": fixed.body.request.model_copy(update={"need": need})})
        return fixed.model_copy(update={"body": body})

    return again


def test_after_ten_minutes_it_is_another_wish_and_nothing_is_remembered(clocked: Clocked) -> None:
    assert clocked.publish() == [False]
    clocked.after = WINDOW - timedelta(seconds=30)
    assert clocked.publish() == [True]
    clocked.after = WINDOW + timedelta(seconds=30)
    assert clocked.publish() == [False]
    clocked.after *= 3
    retain(clocked.client.ledger, Retention(), clocked.client.writing())
    assert clocked.remembered() == 0


def test_a_list_is_a_second_try_as_a_whole(clocked: Clocked) -> None:
    assert clocked.publish(3) == [False] * 3
    assert clocked.publish(2) == [False] * 2
    assert clocked.publish(3) == [True] * 3


def test_an_erased_referral_is_forgotten_and_its_list_is_not_published_again_by_itself(clocked: Clocked) -> None:
    requests = [request(RECIPIENT, need=f"Synthetic need {number}.") for number in range(2)]
    published = clocked.client.publish(requests, repeat=Repeat.IS_NOTICED)
    assert clocked.remembered() == 2
    clocked.client.withdraw(str(published[0].referral_id), ErasureReason.WITHDRAWN)
    assert clocked.remembered() == 1
    with pytest.raises(Refused) as refused:
        clocked.client.publish(requests, repeat=Repeat.IS_NOTICED)
    assert refused.value.reason is Reason.REFERRAL_ERASED
    assert "--again" in refused.value.advice
    assert [each.again for each in clocked.client.publish(requests, repeat=Repeat.IS_MEANT)] == [False] * 2


def test_what_is_remembered_holds_nothing_that_was_said(clocked: Clocked) -> None:
    clocked.publish()
    with clocked.client.ledger.read() as tx:
        [row] = tx.connection.execute(sa.select(tables.repeated_requests))
    assert len(row.digest) == 32
    assert set(row._fields) == {"caller", "digest", "place", "referral_sender", "referral_id", "number", "asked_at"}


def test_a_verb_said_again_is_said_once(federation: Federation, command: Command) -> None:
    words = ("ask", federation.referral, "--text", "Which invented language does she speak?")
    first = command(federation.recipient, *words, "--json").document
    again = command(federation.recipient, *words)
    assert not first["again"]
    assert again.code == 0
    assert "ask was said before: " in again.out
    assert "--again" in again.err
    history = command(federation.recipient, "show", federation.referral, "--json").document["history"]
    command(federation.recipient, *words, "--again")
    longer = command(federation.recipient, "show", federation.referral, "--json").document["history"]
    assert len(longer) == len(history) + 1
    assert command(federation.recipient, *words[:-1], "Other words.", "--json").document["again"] is False


def test_two_attempts_to_reach_a_person_are_two_notes_and_one_under_a_key(
    federation: Federation, command: Command
) -> None:
    words = ("note", federation.referral, "--kind", "contact-attempted")
    for key, again in ((), False), ((), False), (("--idempotency-key", "a"), False), (("--idempotency-key", "a"), True):
        assert command(federation.recipient, *words, *key, "--json").document["again"] is again
    assert len(command(federation.recipient, "show", federation.referral, "--json").document["history"]) == 1 + 3


def behind(agency: Agency) -> AgencyClient:
    return open_client(agency.home, lambda: system_clock() - timedelta(seconds=40))


def test_a_cancellation_asked_for_again_after_a_no_is_asked_for_whatever_the_others_clock_says(
    federation: Federation, command: Command, post: Post
) -> None:
    referral, theirs = str(federation.referral), behind(federation.recipient)
    theirs.move("accept", referral, {})
    post.settle()
    for _ in range(2):
        assert not command(federation.sender, "cancel", referral, "--json").document["again"]
        assert command(federation.sender, "cancel", referral, "--json").document["again"]
        post.settle()
        assert theirs.case(referral).referral.cancel_requested_at is not None
        theirs.move("refuse-cancel", referral, {"text": "We are on the way."})
        post.settle()


def test_an_answer_to_a_second_question_is_said_whatever_the_others_clock_says(
    federation: Federation, command: Command, post: Post
) -> None:
    referral, theirs = str(federation.referral), behind(federation.recipient)
    for _ in range(2):
        theirs.move("ask", referral, {"text": "Is she at home?"})
        post.settle()
        assert not command(federation.sender, "answer", referral, "--text", "Yes.", "--json").document["again"]
        post.settle()
    assert theirs.case(referral).referral.question_asked_at is None


def test_python_takes_each_word_as_meant(federation: Federation) -> None:
    client, referral = open_client(federation.recipient.home), str(federation.referral)
    for _ in range(2):
        client.move("ask", referral, {"text": "Is she at home?"})
    assert len(client.case(referral).steps) == 1 + 2


def test_what_was_published_and_has_ended_is_published_anew(
    file: Path, federation: Federation, command: Command, post: Post
) -> None:
    [first] = command(federation.sender, "publish", file, "--json").document
    post.settle()
    command(federation.sender, "cancel", first["referral_id"])
    post.settle()
    assert command(federation.sender, "show", first["referral_id"], "--json").document["status"] == "cancelled"
    [second] = command(federation.sender, "publish", file, "--json").document
    assert not second["again"]
    assert second["referral_id"] != first["referral_id"]
    [third] = command(federation.sender, "publish", file, "--json").document
    assert (third["again"], third["referral_id"]) == (True, second["referral_id"])


def test_what_was_published_and_refused_is_published_anew(file: Path, federation: Federation, command: Command) -> None:
    [first] = command(federation.sender, "publish", file, "--json").document
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE outbox SET state = 'refused' WHERE referral_id = ?", (UUID(first["referral_id"]).hex,))
    [second] = command(federation.sender, "publish", file, "--json").document
    assert not second["again"]


def test_a_list_of_which_some_has_ended_is_not_published_again_by_itself(
    federation: Federation, command: Command, post: Post, tmp_path: Path
) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([request_document(RECIPIENT), request_document(RECIPIENT)]))
    first, _ = command(federation.sender, "publish", path, "--json").document
    post.settle()
    command(federation.sender, "cancel", first["referral_id"])
    post.settle()
    said = command(federation.sender, "publish", path)
    assert said.err.startswith("referral-bus: TRANSITION_REFUSED: ")
    assert "ended or refused since; say --again" in said.err
    assert said.code == 2


def test_hold_resume_hold_is_three_words(federation: Federation, command: Command) -> None:
    for verb, *text in (("accept",), ("start",), ("hold", "--text", "x"), ("resume",), ("hold", "--text", "x")):
        said = command(federation.recipient, verb, federation.referral, *text, "--json").document
        assert not said["again"]
    assert said["status"] == "on-hold"


def test_a_verb_under_an_idempotency_key_is_said_once_for_longer(federation: Federation) -> None:
    after = timedelta(0)
    client = open_client(federation.recipient.home, lambda: system_clock() + after)
    keyed, referral = Asked(key="visit-7"), str(federation.referral)
    note = {"business_status": "contact-attempted"}
    assert not client.move_once("note", referral, note, None, keyed).again
    client.move("see", referral, {})
    after = timedelta(days=2)
    assert client.move_once("note", referral, note, None, keyed).again
    with pytest.raises(Refused) as refused:
        client.move_once("note", referral, {"business_status": "contact-made"}, None, keyed)
    assert refused.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    client.withdraw(referral, ErasureReason.WITHDRAWN)
    with client.ledger.read() as tx:
        answers = tx.connection.execute(sa.select(tables.idempotency.c.answer)).scalars().all()
    assert answers == ["erased"]


def test_a_key_of_the_wrong_form_is_refused(federation: Federation, command: Command) -> None:
    said = command(federation.recipient, "accept", federation.referral, "--idempotency-key", "two words")
    assert said.err.startswith("referral-bus: VALUE_REFUSED at --idempotency-key: ")
