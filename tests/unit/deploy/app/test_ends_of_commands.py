"""How the process ends when its surroundings fail: no traceback, no line of Python's, an exit code that is true."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from deploy.app.exit_codes import MEANS, ExitCode
from tests.kit.command import PLANTED, Command
from tests.kit.homes import RECIPIENT
from tests.kit.people import request_document
from tests.kit.waiting import PATIENCE_S
from tests.unit.deploy.app.conftest import Federation

DOCS = Path(__file__).parents[4] / "docs"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`referral-bus` is the command."""
    prelude = f'referral-bus() {{ {sys.executable} -m deploy.app "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", prelude + line],
        capture_output=True,
        env=os.environ | environment,
        check=False,
        timeout=PATIENCE_S,
        text=True,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", ["codes", "codes --json", "--help", "--version", "completion bash"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_what_cannot_be_printed_is_told_in_one_line(line: str, where: str, unbuffered: str) -> None:
    ended = shell(f"referral-bus {line} {where}", PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == ExitCode.UNREACHABLE
    assert "OUTPUT_FAILED" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_what_is_published_and_not_printed_ends_with_5_and_the_ledger_is_whole(
    where: str, federation: Federation, tmp_path: Path
) -> None:
    file, home = tmp_path / "referral.json", federation.sender.home
    file.write_text(json.dumps(request_document(RECIPIENT)))
    ended = shell(f"referral-bus publish {file} --home {home} {where}")
    assert (ended.returncode, ended.stderr.count("NOT_SAID: published ")) == (ExitCode.NOT_SAID, 1)
    with closing(sqlite3.connect(home / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_with_every_stream_closed_the_exit_code_still_tells() -> None:
    assert shell("referral-bus codes <&- >&- 2>&-").returncode == ExitCode.UNREACHABLE
    assert shell("referral-bus codes > /dev/full 2> /dev/full").returncode == ExitCode.UNREACHABLE
    assert shell("referral-bus show 2>&-").returncode == ExitCode.REFUSED


CTRL_C_DURING_AN_IMPORT = """
import os, signal, sys

wanted = sys.argv.pop(1)

class Interrupting:
    def find_spec(self, name, *_):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from deploy.app.start import main
main()
"""


@pytest.mark.parametrize(
    ("module", "ends"),
    [
        ("deploy.app.cli", -signal.SIGINT),
        ("pydantic", -signal.SIGINT),
        ("deploy.app.commands.verbs", -signal.SIGINT),
        ("schemas.schema_changes", ExitCode.INTERRUPTED),
    ],
)
def test_ctrl_c_while_modules_load_prints_no_traceback(module: str, ends: int) -> None:
    arguments = ["-c", CTRL_C_DURING_AN_IMPORT, module, "schemas", "diff", "a", "b"]
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == ends
    said = b"referral-bus: interrupted; nothing accepted is lost\n" if ends == ExitCode.INTERRUPTED else b""
    assert (ended.stdout, ended.stderr) == (b"", said)


def test_an_error_under_json_is_one_json_object_on_standard_error(federation: Federation, command: Command) -> None:
    said = command(federation.sender, "show", PLANTED, "--json")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    error = json.loads(said.err)["error"]
    assert error["reason"] == "REFERRAL_UNKNOWN"
    assert error["exit_code"] == 2
    assert error["advice"]
    assert PLANTED not in said.err


@pytest.mark.parametrize(
    ("arguments", "reason", "path"),
    [
        (("inbox", "--after", PLANTED, "--json"), "USAGE", "--after"),
        ((PLANTED, "--json"), "USAGE", None),
        (("show", f"{PLANTED}\udcff", "--json"), "USAGE", None),
    ],
)
def test_a_wrong_command_line_with_json_is_a_json_object(
    arguments: tuple[str, ...], reason: str, path: str | None, command: Command
) -> None:
    said = command(None, *arguments)
    error = json.loads(said.err)["error"]
    assert (error["reason"], error.get("path"), error["exit_code"]) == (reason, path, 2)
    assert "7731" not in said.err


def test_behind_two_dashes_json_is_no_option(command: Command) -> None:
    assert command(None, "codes", "--", "--json").err.startswith("referral-bus: ")


@pytest.mark.parametrize("module", ["referral_bus", "deploy.app"])
def test_the_command_is_also_a_module(module: str) -> None:
    ended = subprocess.run([sys.executable, "-m", module, "codes", "nothing-like-it"], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.startswith(b"referral-bus: CODE_UNKNOWN at LIST")


@pytest.mark.parametrize(
    "arguments", [(), ("show",), ("dead-letters",), ("dead-letters", "list"), ("register", "lint")]
)
def test_every_command_takes_h_for_help(arguments: tuple[str, ...], command: Command) -> None:
    asked = command(None, *arguments, "-h")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out == command(None, *arguments, "--help").out


def test_a_shell_completes_commands_and_options() -> None:
    script = shell("referral-bus completion bash").stdout
    assert "complete -o default -F _referral_bus_completion referral-bus" in script
    asked = {"_REFERRAL_BUS_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert shell("referral-bus", COMP_WORDS="referral-bus dead", **asked).stdout == "dead-letters\n"
    options = shell("referral-bus", COMP_WORDS="referral-bus codes --j", **asked | {"COMP_CWORD": "2"})
    assert (options.stdout, options.stderr) == ("--json\n", "")


def test_the_guide_lists_every_exit_code() -> None:
    text = (DOCS / "integrate.md").read_text(encoding="utf-8")
    for code, means in MEANS.items():
        assert f"| {code.value} | {means}" in text
    assert set(MEANS) == set(ExitCode)
