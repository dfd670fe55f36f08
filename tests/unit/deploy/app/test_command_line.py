"""The command itself: usage, exit codes, output that is no terminal's, and how a defect ends."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.app.cli import run
from referral_bus.ledger import store
from referral_bus.ledger.store import Ledger
from tests.kit.command import PLANTED, Command, assert_one_line, assert_refused
from tests.kit.waiting import PATIENCE_S
from tests.unit.deploy.app.conftest import Federation

USAGE: list[tuple[tuple[str, ...], str]] = [
    ((), "name a command"),
    ((PLANTED,), "no such command"),
    (("agency",), "name a command"),
    (("agency", PLANTED), "no such command"),
    ((f"--{PLANTED}",), "no such option"),
    (("inbox", f"--{PLANTED}"), "no such option"),
    (("inbox", f"-{PLANTED}"), "no such option"),
    (("inbox", "--after", PLANTED), "--after"),
    (("inbox", "--after", "-7731"), "--after"),
    (("inbox", "--after", "9" * 30), "--after"),
    (("inbox", "--most", "7731000"), "--most"),
    (("inbox", "--after"), "lacks its value"),
    (("show", "a", PLANTED), "too many arguments"),
    (("show",), "ID is missing"),
    (("accept", "--text"), "lacks its value"),
    (("accept", PLANTED, "and more"), "too many arguments"),
    (("register", "accept"), "REGISTER is missing"),
    (("register", "plan", PLANTED), "--kafka is missing"),
    (("agency", "init"), "--agency is missing"),
    (("kafka", "start", "--data", PLANTED, "--port", PLANTED), "--port takes a whole number from 1 to 65533"),
    (("kafka", "start", "--data", PLANTED, "--port", "77310"), "--port takes a whole number from 1 to 65533"),
    (("kafka", "start", "--data", PLANTED, "--port", "-1"), "--port takes a whole number from 1 to 65533"),
    (("inbox", "--stage", PLANTED), "--stage takes one of waiting-for-key, not-stored, "),
    (("show", "PLANTED-7731\udcff"), "no text in UTF-8"),
]


@pytest.mark.parametrize(("arguments", "says"), USAGE, ids=[" ".join(row[0])[:40] or "nothing" for row in USAGE])
def test_a_wrong_command_line_is_never_quoted(
    arguments: tuple[str, ...], says: str, command: Command, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFERRAL_BUS_HOME", str(federation.sender.home))
    said = command(None, *arguments)
    assert_refused(said, "USAGE", None, "7731")
    assert says in said.err


@pytest.mark.parametrize("arguments", [("codes", PLANTED), ("schemas", PLANTED)], ids=["codes", "schemas"])
def test_what_there_is_not_is_not_quoted(arguments: tuple[str, ...], command: Command) -> None:
    assert command(None, *arguments).code == 2
    assert_one_line(command(None, *arguments))


@pytest.mark.parametrize(
    ("option", "value", "path"),
    [("--brokers", "2", "--brokers")],
)
def test_a_local_kafka_that_cannot_be_is_refused(
    option: str, value: str, path: str, command: Command, tmp_path: Path
) -> None:
    said = command(None, "kafka", "start", "--data", tmp_path / PLANTED, option, value)
    assert_refused(said, "SETTINGS_INVALID", path)
    assert not (tmp_path / PLANTED).exists()


def test_what_does_not_run_ends_with_3(federation: Federation, command: Command, tmp_path: Path) -> None:
    assert command(federation.sender, "agency", "status").code == 3
    assert command(None, "kafka", "status", "--data", tmp_path / "none").code == 3


def test_a_defect_is_named_by_its_place_and_its_message_is_not_shown(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defective(_: Ledger) -> None:
        raise ValueError(f"{PLANTED} was in the row")

    monkeypatch.setattr(Ledger, "read", defective)
    said = command(federation.sender, "show", federation.referral)
    assert_one_line(said)
    assert said.code == 1
    assert "ValueError in tests.unit.deploy.app.test_command_line:" in said.err


def test_ctrl_c_ends_with_130(federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Ledger) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "read", interrupted)
    said = command(federation.sender, "show", federation.referral)
    assert_one_line(said)
    assert said.code == 130


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.count(".") == 2


COMMAND = [sys.executable, "-m", "deploy.app"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_is_no_error(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [*COMMAND, "codes", "language"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_terminal_without_our_letters_still_shows_the_rest(federation: Federation) -> None:
    arguments = ["show", str(federation.referral), "--home", str(federation.sender.home)]
    environment = {"PYTHONIOENCODING": "latin-1", "PATH": ""}
    ended = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, env=environment, check=False, timeout=PATIENCE_S
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\\u2192 public-health" in ended.stdout


def test_only_the_commands_that_need_kafka_load_it() -> None:
    late = {"kafka", "alembic.command", "deploy.app.service.agency_service"}
    look = f"import sys, deploy.app.cli; print(sorted({late} & {{*sys.modules}}))"
    ended = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True, timeout=PATIENCE_S, text=True)
    assert "kafka" not in ended.stdout
    assert "deploy.app.service.agency_service" not in ended.stdout


def test_a_ledger_that_somebody_holds_is_unreachable_and_nothing_is_written(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_TIMEOUT_S", 0.1)
    before = federation.recipient.rows()
    holder = sqlite3.connect(federation.recipient.home / "ledger.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    said = command(federation.recipient, "accept", federation.referral)
    holder.execute("ROLLBACK")
    holder.close()
    assert_one_line(said)
    assert said.err.startswith("referral-bus: LEDGER_UNREACHABLE at ledger: another process holds it")
    assert said.code == 3
    assert federation.recipient.rows() == before
