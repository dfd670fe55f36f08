"""--json prints exactly one JSON document, for every command that has it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer

from deploy.app.cli import app
from schemas.lifecycle import MOVES
from tests.kit.command import Command
from tests.kit.homes import OTHER, RECIPIENT, SENDER, Agency, Post
from tests.kit.people import PLANTED_NAME, request_document
from tests.unit.deploy.app.conftest import NEED, Federation

NEED_KAFKA = {"register plan", "register apply", "register publish", "kafka start", "kafka stop"}
TESTED_WITH_THE_MONITOR = {"monitor status", "monitor init", "monitor accept"}
WITHOUT_JSON = {"agency run", "monitor run", "demo", "completion", "schemas json"}
"""Services, whose log is JSON, a story for people, a script for a shell, and what prints JSON in any case."""
TESTED_WITH_STEWARDS = {"register keygen", "register sign", "register accept", "register lint", "agency backup"}
TESTED_WITH_DEAD_LETTERS = {
    "dead-letters list", "dead-letters show", "dead-letters retry", "dead-letters discard", "agency webhook-secret",
}  # fmt: skip
TESTED_WITH_ERASURES_AND_BACKUPS = {"withdraw", "entered-in-error", "erasures", "agency restored"}
TESTED_HERE = {
    "publish", "inbox", "todo", "show", "why", "codes", "agencies",
    "schemas", "schemas list", "schemas lint", "schemas check", "schemas diff",
    "agency init", "agency key", "agency status", "kafka status",
}  # fmt: skip


def with_json(command: Any, name: str = "") -> Iterator[str]:
    for sub_name, sub in getattr(command, "commands", {}).items():
        yield from with_json(sub, f"{name} {sub_name}".strip())
    if any("--json" in parameter.opts for parameter in command.params):
        yield name


def test_every_command_that_answers_has_json() -> None:
    commands = set(all_commands(typer.main.get_command(app)))
    assert commands - set(with_json(typer.main.get_command(app))) == WITHOUT_JSON


def all_commands(command: Any, name: str = "") -> Iterator[str]:
    inner = getattr(command, "commands", {})
    for sub_name, sub in inner.items():
        yield from all_commands(sub, f"{name} {sub_name}".strip())
    if not inner:
        yield name


def test_no_command_with_json_is_forgotten_here() -> None:
    known = NEED_KAFKA | TESTED_WITH_THE_MONITOR | TESTED_WITH_DEAD_LETTERS | TESTED_WITH_ERASURES_AND_BACKUPS
    known |= TESTED_WITH_STEWARDS | TESTED_HERE | {move.verb for move in MOVES}
    assert set(with_json(typer.main.get_command(app))) == known


def test_codes_and_schemas(command: Command) -> None:
    lists = command(None, "codes", "--json").document
    assert "service_types" in lists
    for name in lists:
        entries = command(None, "codes", name, "--json").document
        assert all(set(entry) == {"code", "label", "meaning"} for entry in entries)
        assert all(entry["meaning"] for entry in entries)
    listed = command(None, "schemas", "--json").document
    assert listed == command(None, "schemas", "list", "--json").document
    assert ("ReferralEvent", 1) in {(entry["record"], entry["version"]) for entry in listed}
    for check in ("lint", "check"):
        assert command(None, "schemas", check, "--json").document == []
    same = ["schemas/avro/ReferralEvent.v1.avsc"] * 2
    assert command(None, "schemas", "diff", *same, "--json").document == []


def test_publish_says_the_id_of_each_and_whether_it_was_published_before(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "two.json"
    keyed = request_document(RECIPIENT) | {"idempotency_key": "once"}
    file.write_text(json.dumps([request_document(RECIPIENT), keyed]))
    first = command(federation.sender, "publish", file, "--json").document
    again = command(federation.sender, "publish", file, "--json", "--again").document
    assert [entry["again"] for entry in [*first, *again]] == [False, False, False, True]
    assert first[1]["referral_id"] == again[1]["referral_id"] == str(UUID(again[1]["referral_id"]))


def test_inbox_goes_on_after_its_cursor_and_tells_what_was_taken(
    federation: Federation, command: Command, post: Post
) -> None:
    second = post.refer("Synthetic: another need.")
    page = command(federation.recipient, "inbox", "--most", "1", "--json").document
    assert [event["referral_id"] for event in page["events"]] == [str(federation.referral)]
    assert page["events"][0]["body"]["request"]["need"] == NEED
    rest = command(federation.recipient, "inbox", "--after", page["cursor"], "--json").document
    assert [event["referral_id"] for event in rest["events"]] == [str(second)]
    assert {event["from"] for event in rest["events"]} == {SENDER}
    end = command(federation.recipient, "inbox", "--after", rest["cursor"], "--json").document
    assert end == {"cursor": rest["cursor"], "shown": 0, "total": 0, "taken": 1, "events": []}
    stages = [command(federation.recipient, "why", each, "--json").document["stage"] for each in (second, second)]
    assert stages == ["not-seen"] * 2


def test_show_and_why_on_both_sides(federation: Federation, command: Command) -> None:
    for agency, side in ((federation.sender, "sender"), (federation.recipient, "recipient")):
        shown = command(agency, "show", federation.referral, "--json").document
        assert (shown["id"], shown["side"], shown["status"]) == (str(federation.referral), side, "requested")
        assert shown["history"][0]["body"]["person"]["name"] == PLANTED_NAME
        assert shown["acknowledge_by"].endswith("Z")
        why = command(agency, "why", federation.referral, "--json").document
        assert (why["stage"], why["overdue"]) == ("not-handed-over", False)


def test_a_verb_prints_the_referral_as_it_is_then(federation: Federation, command: Command) -> None:
    document = command(federation.recipient, "accept", federation.referral, "--json").document
    assert (document["id"], document["status"]) == (str(federation.referral), "accepted")


def test_agency_and_kafka(federation: Federation, command: Command, tmp_path: Path) -> None:
    new = Agency(tmp_path / "new")
    options = ("--agency", "mahalla", "--federation", "test-federation", "--kafka", "127.0.0.1:9092")
    assert command(new, "agency", "init", *options, "--json").document["agency"] == "mahalla"
    assert len(command(federation.sender, "agency", "key", "--json").document["public_key"]) == 64
    assert command(federation.sender, "agency", "status", "--json").document["running"] is False
    assert command(None, "kafka", "status", "--data", tmp_path / "none", "--json").document["running"] is False


def test_agencies_that_have_an_inbox(federation: Federation, command: Command) -> None:
    found = {each["agency"]: each for each in command(federation.sender, "agencies", "--json").document["agencies"]}
    assert {SENDER, RECIPIENT, OTHER} < set(found)
    assert "unicef" not in found
    assert not found[RECIPIENT]["silent"]


@pytest.mark.parametrize("arguments", [("inbox",), ("show", "{id}"), ("why", "{id}"), ("codes",), ("agencies",)])
def test_without_json_there_are_lines_for_people(
    arguments: tuple[str, ...], federation: Federation, command: Command
) -> None:
    agency = None if arguments == ("codes",) else federation.recipient
    said = command(agency, *(each.format(id=federation.referral) for each in arguments))
    assert said.code == 0
    assert all(
        line.startswith("referral-bus: warning: our own service is not running") for line in said.err.splitlines()
    )
    assert said.out.endswith("\n")
    assert "{" not in said.out
