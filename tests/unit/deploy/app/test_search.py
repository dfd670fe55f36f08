"""`inbox` with a filter: the referrals on both sides that fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit.people import request_document
from tests.unit.deploy.app.command import PLANTED, Command, assert_one_line, assert_refused
from tests.unit.deploy.app.conftest import Federation
from tests.unit.deploy.app.homes import OTHER, RECIPIENT, SENDER


def found(command: Command, federation: Federation, *options: object) -> list[dict[str, Any]]:
    return list(command(federation.sender, "inbox", *options, "--json").document)


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


def test_of_an_ended_one_only_by_its_case_number(federation: Federation, command: Command) -> None:
    ended = ("reject", federation.referral, "--reason", "no-capacity", "--local-ref", "№ 17")
    assert command(federation.recipient, *ended).code == 0
    assert str(federation.referral)[:8] in command(federation.recipient, "inbox", "--local-ref", "№ 17").out
    assert command(federation.recipient, "inbox", "--with", SENDER).out == "no referral fits\n"


def test_a_stage_that_there_is_not_is_refused_without_quoting_it(federation: Federation, command: Command) -> None:
    said = command(federation.sender, "inbox", "--stage", PLANTED)
    assert_one_line(said)
    assert_refused(said, "USAGE")
