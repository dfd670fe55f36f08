"""`completion`: prints the script by which a shell completes commands and options."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from deploy.app.output import say_all

PROGRAM = "referral-bus"
ASKS = "_REFERRAL_BUS_COMPLETE"
"""The environment variable by which the shell's script asks for completions."""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the script by which a shell completes our commands. For bash: put `eval "$(referral-bus completion bash)"`
    into ~/.bashrc."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined] # not in its __all__

    say_all(get_completion_script(prog_name=PROGRAM, complete_var=ASKS, shell=shell).splitlines())


def prepare_completion() -> None:
    """Prepares typer to answer a shell's script, if one has called this process. Must run before the command line is
    parsed."""
    if ASKS in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # not in its __all__

        completion_init()


def add_to(app: typer.Typer) -> None:
    app.command()(completion)
