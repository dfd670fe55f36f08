"""What was changed for good and could not be printed: it is said on standard error, with its ids, and has an exit code
of its own. For every command that writes first and prints afterwards."""

import errno
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.app.exit_codes import ExitCode
from deploy.app.output import OutputFailed
from deploy.demo.federation import example_template
from tests.kit.command import PLANTED, Command, Ended
from tests.kit.homes import DEAD_KAFKA, RECIPIENT, Agency
from tests.kit.people import request_document
from tests.unit.deploy.app.conftest import Federation


class Full(io.StringIO):
    """Standard output whose disk is full, or whose reader has gone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, _: str) -> int:
        raise OutputFailed(self._number, "standard output")


Unprinted = Callable[..., Ended]


@pytest.fixture(params=[errno.ENOSPC, errno.EPIPE], ids=["full", "gone"])
def unprinted(request: pytest.FixtureRequest, command: Command, monkeypatch: pytest.MonkeyPatch) -> Unprinted:
    def call(agency: Agency | None, *arguments: object) -> Ended:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Full(request.param))
            said = command(agency, *arguments)
        assert said.err.count("\n") == (0 if said.code == ExitCode.DONE else 1)
        assert PLANTED not in said.err
        return said

    return call


def test_published_and_not_printed_is_told_with_its_id(
    federation: Federation, unprinted: Unprinted, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(RECIPIENT)))
    said = unprinted(federation.sender, "publish", file, "--json")
    error = json.loads(said.err)["error"]
    assert (said.code, error["exit_code"], error["reason"]) == (ExitCode.NOT_SAID, 5, "NOT_SAID")
    [again] = json.loads(command(federation.sender, "publish", file, "--json").out)
    assert again["again"]
    assert error["done"] == f"published {again['referral_id']}"


def test_what_fails_between_writing_and_printing_is_told_as_done(
    federation: Federation, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise ValueError(PLANTED)

    monkeypatch.setattr("deploy.app.commands.publish.own_service", fails)
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(RECIPIENT)))
    said = command(federation.sender, "publish", file)
    assert said.code == ExitCode.NOT_SAID
    assert said.err.startswith("referral-bus: NOT_SAID: published ")
    assert PLANTED not in said.err


@pytest.mark.parametrize(
    ("arguments", "done"),
    [
        (("accept", "ID"), "accept said about ID"),
        (("note", "ID", "--kind", "contact-attempted", "--text", PLANTED), "note said about ID"),
        (("withdraw", "ID", "--yes"), "ID is erased here"),
    ],
)
def test_what_was_said_about_a_referral_is_told_with_its_id(
    arguments: tuple[str, ...], done: str, federation: Federation, unprinted: Unprinted
) -> None:
    referral = str(federation.referral)
    said = unprinted(federation.recipient, *(referral if each == "ID" else each for each in arguments))
    assert said.code == ExitCode.NOT_SAID
    assert done.replace("ID", referral) in said.err


def test_a_home_and_a_backup_that_were_made_are_told(
    federation: Federation, unprinted: Unprinted, tmp_path: Path
) -> None:
    new = Agency(tmp_path / "new")
    options = ("--agency", "mahalla", "--federation", "test-federation", "--kafka", DEAD_KAFKA)
    assert unprinted(new, "agency", "init", *options).code == ExitCode.NOT_SAID
    assert unprinted(federation.sender, "agency", "backup", tmp_path / "backup").code == ExitCode.NOT_SAID
    assert (tmp_path / "backup").exists()


def test_a_secret_that_was_made_and_not_shown_is_not_shown_elsewhere(
    federation: Federation, unprinted: Unprinted
) -> None:
    said = unprinted(federation.sender, "agency", "webhook-secret")
    assert said.code == ExitCode.NOT_SAID
    assert "whsec_" not in said.err


def test_a_stewards_key_is_told_by_its_public_half(unprinted: Unprinted, tmp_path: Path) -> None:
    said = unprinted(None, "register", "keygen", tmp_path / "steward.key")
    assert said.code == ExitCode.NOT_SAID
    assert "public_key: " in said.err


def test_a_command_that_only_looks_says_that_nothing_was_printed_unless_its_reader_has_gone(
    federation: Federation, unprinted: Unprinted, tmp_path: Path
) -> None:
    (tmp_path / "register.yaml").write_bytes(example_template())
    for agency, *arguments in (
        (federation.recipient, "inbox"),
        (federation.recipient, "show", federation.referral),
        (None, "register", "lint", tmp_path / "register.yaml"),
    ):
        said = unprinted(agency, *arguments)
        assert (said.code, "OUTPUT_FAILED" in said.err) in ((ExitCode.DONE, False), (ExitCode.UNREACHABLE, True))
