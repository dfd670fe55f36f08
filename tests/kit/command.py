"""Running the command in this process, and what every refusal has in common."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.app.cli import run
from deploy.app.views.why import STOPPED
from tests.kit.homes import Agency
from tests.kit.people import PLANTED_NAME, PLANTED_NEED

PLANTED = "PLANTED-7731"
"""Stands in whatever a test types or writes; no message may hold it."""

NOTHING_LEAVES = f"referral-bus: warning: {STOPPED}\n"
"""What a command says that writes something while the agency's service is stopped."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Of --json: exactly one document on standard output, nothing on standard error."""
        assert self.err == ""
        return json.loads(self.out)


class Command:
    """`command(agency, "show", id)` is `referral-bus show id --home ...`; without an agency no --home is given."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, agency: Agency | None, *arguments: object) -> Ended:
        self._capsys.readouterr()
        at = [] if agency is None else ["--home", str(agency.home)]
        code = run([*map(str, arguments), *at])
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)


def assert_one_line(said: Ended, *planted: str) -> None:
    """One line that shows nothing of what was typed or handed in."""
    assert said.out == ""
    assert said.err.startswith("referral-bus: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    for secret in (PLANTED, PLANTED_NAME, PLANTED_NEED, "Traceback", *planted):
        assert secret not in said.err


def assert_refused(said: Ended, reason: str, path: str | None = None, *planted: str) -> None:
    """Exit code 2, and the line begins with the code and the field."""
    assert_one_line(said, *planted)
    assert said.err.startswith(f"referral-bus: {reason}{f' at {path}' if path else ''}: ")
    assert said.code == 2
