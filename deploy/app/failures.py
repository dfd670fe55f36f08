"""How a command reports a failure: one line on standard error, or with --json one JSON object there.

    {"error": {"reason": ..., "path": ..., "advice": ..., "exit_code": ...}}

Where an input holds several mistakes, each has a line, and `problems` in the object lists all of them, the first too.

None of it quotes what was typed or read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from typer.core import TyperArgument
from typer.exceptions import TyperException

from deploy.app.exit_codes import ExitCode
from deploy.app.output import NotSaid, say_error
from referral_bus.errors import BusError, Reason, Refused, RefusedEach
from referral_bus.logs import defect


@dataclass(frozen=True, slots=True)
class Failure:
    """`line` is for a person; the other fields become the JSON object. `done`: what was changed before the failure."""

    code: int
    line: str
    reason: str
    advice: str
    path: str | None = None
    done: str | None = None
    problems: tuple[Refused, ...] = ()

    def document(self) -> dict[str, Any]:
        """The failure as the JSON object that --json prints."""
        fields = {"reason": self.reason, "path": self.path, "advice": self.advice, "done": self.done}
        given = {name: value for name, value in fields.items() if value is not None}
        each = [{"reason": one.reason, "path": one.path, "advice": one.advice} for one in self.problems]
        return {"error": given | ({"problems": each} if each else {}) | {"exit_code": int(self.code)}}


INTERRUPTED = Failure(
    ExitCode.INTERRUPTED, "interrupted; nothing accepted is lost", "INTERRUPTED", "nothing accepted is lost"
)
NOT_UTF8 = Failure(
    ExitCode.REFUSED, "USAGE: an argument is no text in UTF-8", "USAGE", "an argument is no text in UTF-8"
)


def of_bus_error(error: BusError) -> Failure:
    problems = error.each if isinstance(error, RefusedEach) else ()
    return Failure(error.exit_code, str(error), error.reason, error.advice, error.path, problems=problems)


def of_output() -> Failure:
    """The failure of a command that changed nothing and could not print its answer."""
    advice = "what was asked for cannot be printed; look at the disk, or at where the output goes"
    return Failure(
        ExitCode.UNREACHABLE,
        f"{Reason.OUTPUT_FAILED} at standard output: {advice}",
        Reason.OUTPUT_FAILED,
        advice,
        "standard output",
    )


def of_not_said(error: NotSaid) -> Failure:
    advice = "it is done, only the answer could not be printed; do not ask again"
    return Failure(ExitCode.NOT_SAID, f"NOT_SAID: {error.done}; {advice}", "NOT_SAID", advice, done=error.done)


def of_defect(error: BaseException) -> Failure:
    advice = f"a defect of ours, please report it: {defect(error)}"
    return Failure(ExitCode.DEFECT, advice, "DEFECT", advice)


def of_usage(error: TyperException) -> Failure:
    """The failure for a wrong command line. It does not quote what was typed, which may be a person's name."""
    parameter = getattr(error, "param", None)
    name = parameter.metavar if isinstance(parameter, TyperArgument) else parameter and parameter.opts[0]
    hint = f" {name}" if name else ""
    line = {
        "MissingParameter": f"USAGE:{hint} is missing{_or_variable(parameter)}; see --help",
        "NoSuchOption": "USAGE: there is no such option; see --help",
        "NoArgsIsHelpError": "USAGE: name a command; see --help",
        "BadParameter": f"USAGE:{hint} takes {_taken(parameter)}; see --help",
        "BadOptionUsage": "USAGE: an option lacks its value; see --help",
    }.get(type(error).__name__, "USAGE: no such command, or too many arguments; put texts in quotes, see --help")
    return Failure(ExitCode.REFUSED, line, "USAGE", line.removeprefix("USAGE: "), name or None)


def _or_variable(parameter: object) -> str:
    variable = getattr(parameter, "envvar", None)
    return f"; give it, or set {variable}" if isinstance(variable, str) else ""


def _taken(parameter: object) -> str:
    """The values that an option takes, by its type: a closed list, or a range of numbers."""
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(each.value) for each in kind)}"
    if least is not None and most is not None:
        return f"a whole number from {least} to {most}"
    return "a value of another kind"


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, even where it cannot be parsed otherwise."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def end_with(failure: Failure, *, as_json: bool) -> int:
    """Prints a failure on standard error, as lines or as one JSON object, and returns its exit code."""
    if as_json:
        say_error(failure.line, json.dumps(failure.document()))
    else:
        for line in failure.line.split("\n"):  # one for each mistake of an input
            say_error(line)
    return int(failure.code)
