"""The `referral-bus` command. Each group of commands has a file of its own; here they meet, and here errors end.

Exit codes: 0 done, 2 refused input or state, 3 something is not reachable, 1 a defect of ours, 4 a service in which
something hangs has ended itself, 130 interrupted.
What only some commands need (Kafka, the service, provisioning) is imported when they are called: the others start
in half the time.
"""

import io
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperArgument
from typer.exceptions import Abort, TyperException

from deploy.app import (
    commands_agencies,
    commands_agency,
    commands_contract,
    commands_dead_letters,
    commands_demo,
    commands_erasure,
    commands_kafka,
    commands_look,
    commands_monitor,
    commands_referral,
    commands_register,
    commands_verbs,
)
from deploy.app.output import say, say_error
from referral_bus.errors import BusError
from referral_bus.logs import defect, quiet_libraries

INTERRUPTED = 130

app = typer.Typer(
    name="referral-bus",
    help="Refer people who need help from one agency to another: sealed, signed, receipted.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(version("referral-bus"))
        raise typer.Exit


_VersionOption = Annotated[bool, typer.Option("--version", help="Say the version.", callback=_version, is_eager=True)]


@app.callback()
def _root(*, _version_wanted: _VersionOption = False) -> None:
    quiet_libraries()


_GROUPS = (
    commands_referral,
    commands_verbs,
    commands_erasure,
    commands_look,
    commands_agencies,
    commands_dead_letters,
    commands_contract,
    commands_agency,
    commands_register,
    commands_kafka,
    commands_monitor,
    commands_demo,
)
for _group in _GROUPS:
    _group.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """The installed command. Every end is an exit code and at most one line on standard error."""
    os.umask(0o077)  # whatever a command writes is for its owner only
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without a letter still shows the rest
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    if any("\udc80" <= sign <= "\udcff" for argument in arguments for sign in argument):
        say_error("USAGE: an argument is no text in UTF-8")
        return 2
    try:
        result = app(arguments, prog_name="referral-bus", standalone_mode=False)
        sys.stdout.flush()
        if result == INTERRUPTED:
            raise KeyboardInterrupt  # which typer keeps to itself
    except BusError as error:
        say_error(str(error))
        return error.exit_code
    except TyperException as error:
        say_error(_usage(error))
        return 2
    except (KeyboardInterrupt, Abort):
        say_error("interrupted; nothing accepted is lost")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # whoever read our output has gone; typer itself then leaves at once
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 # the last boundary: no traceback ever reaches a user
        say_error(f"a defect of ours, please report it: {defect(error)}")
        return 1
    return result if isinstance(result, int) else 0


def _usage(error: TyperException) -> str:
    """What was wrong with the command line, without quoting what was typed: it may be somebody's name."""
    kind = type(error).__name__
    parameter = getattr(error, "param", None)
    name = parameter.metavar if isinstance(parameter, TyperArgument) else parameter and parameter.opts[0]
    hint = f" {name}" if name else ""
    return {
        "MissingParameter": f"USAGE:{hint} is missing; see --help",
        "NoSuchOption": "USAGE: there is no such option; see --help",
        "NoArgsIsHelpError": "USAGE: name a command; see --help",
        "BadParameter": f"USAGE:{hint} has a value of the wrong kind; see --help",
        "BadOptionUsage": "USAGE: an option lacks its value; see --help",
    }.get(kind, "USAGE: no such command, or too many arguments; put texts in quotes, see --help")
