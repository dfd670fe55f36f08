"""`referral-bus schemas`: list, lint, check, diff."""

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from schemas.schema_index import by_fingerprint
from tests.kit.command import PLANTED, Command, assert_refused

SHIPPED = Path(str(resources.files("schemas"))) / "avro"
FIRST = SHIPPED / "StatusEvent.v1.avsc"
GUIDE = Path(__file__).parents[4] / "docs" / "evolution.md"
NOTE = {"name": "note", "type": ["null", "string"], "doc": "Synthetic.", "default": None}


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """A version with one nullable field more."""
    schema = json.loads(FIRST.read_text())
    schema["fields"].insert(0, NOTE)
    return written(tmp_path / "StatusEvent.v2.avsc", schema)


def written(file: Path, schema: Any) -> Path:
    file.write_text(json.dumps(schema))
    return file


def retyped(file: Path, name: str, avro: Any) -> Path:
    schema = json.loads(file.read_text())
    next(each for each in schema["fields"] if each["name"] == name)["type"] = avro
    return written(file, schema)


@pytest.mark.parametrize("arguments", [("schemas",), ("schemas", "list")])
def test_without_a_command_the_schemas_are_listed(arguments: tuple[str, ...], command: Command) -> None:
    said = command(None, *arguments)
    assert (said.code, len(said.out.splitlines())) == (0, len(by_fingerprint()))
    assert {bytes.fromhex(each["fingerprint"]) for each in command(None, *arguments, "--json").document} == set(
        by_fingerprint()
    )


def test_lint_finds_nothing_in_what_we_ship(command: Command) -> None:
    assert (command(None, "schemas", "lint").out, command(None, "schemas", "lint").code) == ("no findings\n", 0)
    assert command(None, "schemas", "lint", "--json").document == []


def test_check_without_files_compares_what_we_ship_with_what_is_released(command: Command) -> None:
    said = command(None, "schemas", "check")
    assert (said.code, said.out[:11]) == (0, "no findings")
    assert command(None, "schemas", "check", "--json").document == []


def test_check_accepts_a_version_that_fits(command: Command, next_version: Path) -> None:
    said = command(None, "schemas", "check", FIRST, next_version)
    assert (said.code, said.out) == (0, "no findings\n")


def test_check_says_in_one_line_each_what_does_not_fit_and_what_to_do(command: Command, next_version: Path) -> None:
    retyped(retyped(next_version, "sequence", "int"), "occurred_at", "long")
    said = command(None, "schemas", "check", FIRST, next_version)
    assert said.code == 2
    assert [line.split(": ")[:2] for line in said.out.splitlines()] == [
        ["StatusEvent.occurred_at", "logical_type_changed"],
        ["StatusEvent.sequence", "type_promoted"],
    ]
    told = command(None, "schemas", "check", FIRST, next_version, "--json")
    assert told.code == 2
    assert told.document[0] == {
        "path": "StatusEvent.occurred_at",
        "kind": "logical_type_changed",
        "advice": "timestamp-millis became none; keep the logical type: the same bytes would mean something else",
    }


def test_on_the_day_of_a_release_a_draft_is_a_finding_with_the_command_that_freezes_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(folder: str) -> dict[str, bytes]:
        return {FIRST.name: FIRST.read_bytes()} if folder == "avro" else {}

    monkeypatch.setattr("schemas.releases._files", files)
    assert command(None, "schemas", "check").out == "no findings; nothing is released yet\n"
    (finding,) = command(None, "schemas", "check", "--release", "--json").document
    assert (finding["file"], finding["kind"]) == ("released/StatusEvent.v1.avsc", "snapshot_missing")
    assert "sha256sum StatusEvent.v1.avsc >> SHA256SUMS" in finding["advice"]


def test_diff_draws_what_differs(command: Command, next_version: Path) -> None:
    retyped(next_version, "sequence", "int")
    said = command(None, "schemas", "diff", FIRST, next_version)
    assert (said.code, said.out.splitlines()) == (
        0,
        ["+ StatusEvent.note: null or string, default null", "~ StatusEvent.sequence: type: long -> int"],
    )
    assert command(None, "schemas", "diff", FIRST, next_version, "--json").document[1] == {
        "path": "StatusEvent.sequence",
        "what": "type",
        "old": "long",
        "new": "int",
    }


def test_diff_says_when_nothing_differs(command: Command) -> None:
    assert command(None, "schemas", "diff", FIRST, FIRST).out == "no differences\n"


@pytest.mark.parametrize("verb", ["check", "diff"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "FILE_UNREADABLE"),
        (b"", "NOT_JSON"),
        (f"{{{PLANTED}".encode(), "NOT_JSON"),
        (b"\xff\xfe\xfd", "NOT_JSON"),
        (f'{{"name": "{PLANTED}"}}'.encode(), "VALUE_REFUSED"),
        (f'{{"type": "record", "name": "{PLANTED}"}}'.encode(), "VALUE_REFUSED"),
        (json.dumps({**NOTE, "type": PLANTED}).encode(), "VALUE_REFUSED"),
    ],
)
def test_a_file_that_is_no_schema_is_refused_in_one_line(
    verb: str, content: bytes | None, reason: str, command: Command, tmp_path: Path
) -> None:
    bad = tmp_path / f"{PLANTED}.avsc"
    if content is not None:
        bad.write_bytes(content)
    assert_refused(command(None, "schemas", verb, bad, FIRST), reason, "OLD")
    assert_refused(command(None, "schemas", verb, FIRST, bad), reason, "NEW")


def test_a_command_that_lacks_a_file_or_has_one_too_many_is_refused(command: Command) -> None:
    assert_refused(command(None, "schemas", "check", FIRST), "FIELD_MISSING", "NEW")
    assert_refused(command(None, "schemas", "check", "--release", FIRST, FIRST), "VALUE_REFUSED", "--release")
    assert_refused(command(None, "schemas", "diff", FIRST), "USAGE")
    error = json.loads(command(None, "schemas", "--json", "lint").err)["error"]
    assert (error["reason"], error["path"], error["exit_code"]) == ("VALUE_REFUSED", "--json", 2)
    assert_refused(command(None, "schemas", PLANTED), "USAGE")


def test_every_command_of_the_guide_runs(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a copy of the schemas; a command may find something, but it is a command."""
    shutil.copytree(SHIPPED, tmp_path / "schemas" / "avro")
    monkeypatch.chdir(tmp_path)
    commands = "".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)).splitlines()
    assert len(commands) > 5
    for line in commands:
        program, *arguments = line.partition("#")[0].split()
        if program == "referral-bus":
            said = command(None, *arguments)
            assert (said.err, said.code in (0, 2)) == ("", True), line
        else:
            subprocess.run(["sh", "-c", line], check=True)
