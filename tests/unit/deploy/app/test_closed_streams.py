"""A command whose standard streams are closed does what it does, and its exit code tells so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.app.exit_codes import ExitCode
from tests.kit.command import Command
from tests.kit.homes import RECIPIENT
from tests.kit.people import request_document
from tests.kit.waiting import PATIENCE_S
from tests.unit.deploy.app.conftest import Federation

READ = ("inbox", "inbox --json", "todo", "agencies", "erasures", "show ID", "why ID", "dead-letters list")
CHANGE = ("publish FILE", "publish FILE --json", "cancel ID", "withdraw ID --yes")
TAKE_TEXT = ("publish -", "answer ID --text-file -")


class Shell:
    """Runs a line at the sender's home, with FILE a request and ID its referral."""

    def __init__(self, federation: Federation, file: Path) -> None:
        self._names = {"FILE": str(file), "ID": str(federation.referral)}
        self._home = str(federation.sender.home)

    def __call__(self, line: str, streams: str) -> subprocess.CompletedProcess[str]:
        words = [self._names.get(word, word) for word in line.split()]
        script = f'exec "$@" {streams}'
        command = [sys.executable, "-m", "deploy.app", *words, "--home", self._home]
        return subprocess.run(
            ["sh", "-c", script, "sh", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ,
            check=False,
            timeout=PATIENCE_S,
            text=True,
        )


@pytest.fixture
def shell(federation: Federation, tmp_path: Path) -> Shell:
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(RECIPIENT)))
    return Shell(federation, file)


@pytest.mark.parametrize("line", READ)
def test_what_is_only_read_needs_standard_output_alone(line: str, shell: Shell) -> None:
    unread, unsaid = shell(line, "<&-"), shell(line, ">&-")
    assert unread.returncode == ExitCode.DONE
    assert all(line.startswith("referral-bus: warning: ") for line in unread.stderr.splitlines())
    assert unread.stdout
    assert unsaid.returncode == ExitCode.UNREACHABLE
    assert "OUTPUT_FAILED" in unsaid.stderr
    silent = shell(line, "2>&-")
    assert silent.returncode == ExitCode.DONE
    assert silent.stdout


@pytest.mark.parametrize("line", CHANGE)
@pytest.mark.parametrize(
    ("streams", "ends"), [("<&-", ExitCode.DONE), (">&-", ExitCode.NOT_SAID), ("2>&-", ExitCode.DONE)]
)
def test_what_is_changed_is_done_and_told_as_done(line: str, streams: str, ends: ExitCode, shell: Shell) -> None:
    ended = shell(line, streams)
    assert ended.returncode == ends
    assert ("NOT_SAID" in ended.stderr) is (ends is ExitCode.NOT_SAID)
    assert bool(ended.stdout) is (ends is ExitCode.DONE)


@pytest.mark.parametrize("line", TAKE_TEXT)
def test_a_closed_standard_input_holds_nothing(line: str, shell: Shell) -> None:
    ended = shell(line, "<&-")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (ExitCode.REFUSED, "", 1)


def test_a_file_is_published_without_a_look_at_standard_input(
    federation: Federation, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that others have started, it may be missing."""
    (tmp_path / "referral.json").write_text(json.dumps(request_document(RECIPIENT)))
    monkeypatch.setattr("sys.stdin", None)
    published: list[dict[str, Any]] = command(
        federation.sender, "publish", tmp_path / "referral.json", "--json"
    ).document
    assert len(published) == 1
