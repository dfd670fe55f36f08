"""The `referral-bus` command: puts the groups of commands together, each of which has a file of its own, and turns
every error into a line and an exit code.

See `deploy.app.exit_codes` for the codes and `deploy.app.failures` for the lines.
Modules that only some commands need (Kafka, the service, provisioning) are imported when such a command is called, so
that the others start in half the time.
"""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from deploy.app import failures
from deploy.app.commands import (
    agencies,
    agency,
    completion,
    contract,
    dead_letters,
    demo,
    erasure,
    inbox,
    kafka,
    monitor,
    publish,
    register,
    show,
    verbs,
)
from deploy.app.exit_codes import ExitCode
from deploy.app.failures import Failure, end_with, wants_json
from deploy.app.output import NotSaid, OutputFailed, StandardOutput, let_go_of_standard_output, say
from deploy.app.service.foreign_words import shut_out_for_good
from referral_bus.errors import BusError
from referral_bus.logs import quiet_libraries

app = typer.Typer(
    name="referral-bus",
    help="Refer people who need help from one agency to another: sealed, signed, receipted.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(version("referral-bus"))
        raise typer.Exit


_VersionOption = Annotated[bool, typer.Option("--version", help="Say the version.", callback=_version, is_eager=True)]


@app.callback()
def _root(*, _version_wanted: _VersionOption = False) -> None:
    """Options of the command itself."""


_GROUPS = (
    publish,
    verbs,
    erasure,
    inbox,
    show,
    agencies,
    dead_letters,
    contract,
    agency,
    register,
    kafka,
    monitor,
    demo,
    completion,
)
for _group in _GROUPS:
    _group.add_to(app)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    quiet_libraries()
    shut_out_for_good()
    os.umask(0o077)  # whatever a command writes is for its owner only
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = StandardOutput(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:] if arguments is None else arguments)


def run(arguments: list[str]) -> int:
    """Runs one command line, prints its failure if it fails, and returns its exit code."""
    as_json = wants_json(arguments)
    if any("\udc80" <= sign <= "\udcff" for argument in arguments for sign in argument):
        return end_with(failures.NOT_UTF8, as_json=as_json)
    result, failure = _run(arguments)
    if failure is not None:
        return end_with(failure, as_json=as_json)
    return result


def _run(arguments: list[str]) -> tuple[int, Failure | None]:
    failure = None
    try:
        completion.prepare_completion()
        result = app(arguments, prog_name="referral-bus", standalone_mode=False)
        sys.stdout.flush()
        if result == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt  # typer has caught it and returned its code
        return (result if isinstance(result, int) else 0), None
    except BusError as error:
        failure = failures.of_bus_error(error)
    except TyperException as error:
        failure = failures.of_usage(error)
    except (KeyboardInterrupt, Abort):
        failure = failures.INTERRUPTED
    except NotSaid as error:
        let_go_of_standard_output()
        failure = failures.of_not_said(error)
    except OutputFailed as error:
        let_go_of_standard_output()
        failure = None if error.errno == errno.EPIPE else failures.of_output()
    except SystemExit:  # typer exits at once after a completion, and when the reader of our output has gone
        with suppress(OSError):
            sys.stdout.flush()
        let_go_of_standard_output()
    except Exception as error:  # noqa: BLE001 # the last boundary: no traceback ever reaches a user
        failure = failures.of_defect(error)
    return 0, failure
