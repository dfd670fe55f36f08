"""`inbox` with a filter: the referrals on both sides that fit."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import PLANTED, Command, assert_one_line, assert_refused
from tests.kit.homes import OTHER, RECIPIENT, SENDER
from tests.kit.people import request_document
from tests.unit.deploy.app.conftest import Federation


def found(command: Command, federation: Federation, *options: object) -> list[dict[str, Any]]:
    return list(command(federation.sender, "inbox", *options, "--json").document["referrals"])


def test_by_counterpart_stage_and_case_number(federation: Federation, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(request_document(OTHER) | {"local_ref": "№ 17"}))
    waiting = command(federation.sender, "publish", file, "--json").document[0]["referral_id"]
    stored = str(federation.referral)
    assert [each["id"] for each in found(command, federation, "--with", RECIPIENT)] == [stored]
    assert [each["id"] for each in found(command, federation, "--with", OTHER)] == [waiting]
    assert [each["id"] for each in found(command, federation, "--stage", "not-stored")] == [waiting]
    assert [each["id"] for each in found(command, federation, "--stage", "not-handed-over")] == [stored]
    assert [each["id"] for each in found(command, federation, "--local-ref", "№ 17")] == [waiting]
    assert found(command, federation, "--overdue") == []
    assert found(command, federation, "--with", SENDER) == []
    assert found(command, federation, "--local-ref", PLANTED) == []


@pytest.mark.parametrize("filters", [("--with", OTHER), ("--stage", "not-stored")])
def test_as_many_as_were_asked_for(
    filters: tuple[str, ...], federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "many.json"
    file.write_text(json.dumps([request_document(OTHER)] * 120))
    assert command(federation.sender, "publish", file).code == 0
    for most in (1, 101, 120):
        assert len(found(command, federation, *filters, "--most", most)) == most
    assert len(found(command, federation, *filters, "--most", 500)) == 120


def test_ended_ones_come_by_case_number_counterpart_and_stage_and_by_nothing_that_only_open_ones_have(
    federation: Federation, command: Command
) -> None:
    ended = ("reject", federation.referral, "--reason", "no-capacity", "--local-ref", "№ 17")
    assert command(federation.recipient, *ended).code == 0
    for by in (("--local-ref", "№ 17"), ("--with", SENDER), ("--stage", "ended")):
        assert str(federation.referral)[:8] in command(federation.recipient, "inbox", *by).out
    for filters in (("--overdue",), ("--mine",), ("--with", SENDER, "--mine"), ("--priority", "urgent")):
        assert command(federation.recipient, "inbox", *filters).out == "no referral fits\n"
    assert command(federation.recipient, "inbox", "--with", OTHER, "--stage", "ended").out == "no referral fits\n"


def test_open_ones_come_before_ended_ones(federation: Federation, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    file.write_text(json.dumps([request_document(OTHER) | {"priority": "stat"}, request_document(OTHER)]))
    first, second = (each["referral_id"] for each in command(federation.sender, "publish", file, "--json").document)
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("UPDATE referrals SET status = 'rejected' WHERE referral_id = ?", (first.replace("-", ""),))
    assert [each["id"] for each in found(command, federation, "--with", OTHER)] == [second, first]
    assert [each["id"] for each in found(command, federation, "--with", OTHER, "--stage", "ended")] == [first]


def test_by_who_must_act_priority_and_deadline(federation: Federation, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    file.write_text(json.dumps([request_document(OTHER) | {"priority": "stat"}, request_document(OTHER)]))
    stat, urgent = (each["referral_id"] for each in command(federation.sender, "publish", file, "--json").document)
    assert [each["id"] for each in found(command, federation, "--priority", "stat")] == [stat]
    soon = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    assert [each["id"] for each in found(command, federation, "--due-before", soon)] == [stat]
    assert {each["id"] for each in found(command, federation, "--due-before", "2099-01-01T00:00Z")} >= {stat, urgent}
    assert command(federation.recipient, "accept", federation.referral).code == 0
    [mine] = command(federation.recipient, "inbox", "--mine", "--json").document["referrals"]
    assert (mine["id"], mine["mine"], mine["actor"], mine["priority"]) == (
        str(federation.referral), True, "recipient-staff", "urgent",
    )  # fmt: skip
    line = command(federation.recipient, "inbox", "--mine").out
    for word in ("urgent", "in-service", "due ", "ours"):
        assert word in line


@pytest.mark.parametrize(
    ("options", "reason", "path"),
    [
        (("--priority", PLANTED), "CODE_UNKNOWN", "--priority"),
        (("--due-before", "2026-11-23T10:00"), "TIME_NAIVE", "--due-before"),
        (("--due-before", PLANTED), "VALUE_REFUSED", "--due-before"),
        (("--mine", "--after", "1"), "VALUE_REFUSED", "--after"),
        (("--mine", "--take"), "VALUE_REFUSED", "--after"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    options: tuple[str, ...], reason: str, path: str, federation: Federation, command: Command
) -> None:
    assert_refused(command(federation.sender, "inbox", *options), reason, path)


def test_how_many_were_left_out_is_said(federation: Federation, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    file.write_text(json.dumps([request_document(OTHER)] * 30))
    assert command(federation.sender, "publish", file).code == 0
    for filters in (("--with", OTHER), ("--stage", "not-stored")):
        assert command(federation.sender, "inbox", *filters, "--most", 20).out.endswith("\n20 of 30 referrals\n")
        document = command(federation.sender, "inbox", *filters, "--most", 20, "--json").document
        assert (document["shown"], document["total"]) == (20, 30)
        assert command(federation.sender, "inbox", *filters).out.endswith("\n30 referrals\n")


def test_a_stage_that_there_is_not_is_refused_without_quoting_it(federation: Federation, command: Command) -> None:
    said = command(federation.sender, "inbox", "--stage", PLANTED)
    assert_one_line(said)
    assert_refused(said, "USAGE")
