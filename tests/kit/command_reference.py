"""Writes the command reference from the definitions of the commands: `python -m tests.kit.command_reference >
docs/commands.md`."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

HEAD = """# Commands

Written from the command line by `python -m tests.kit.command_reference`; a test compares the two. How a command can end
is told under [exit codes](integrate.md#exit-codes).
"""


def reference() -> str:
    """The whole page, in Markdown."""
    from deploy.app.cli import app

    command = typer.main.get_command(app)
    return HEAD + "".join(_section(command, "referral-bus"))


def _section(command: Any, name: str) -> Iterator[str]:
    commands = getattr(command, "commands", None)
    if commands is not None:
        for each, inner in commands.items():
            yield from _section(inner, f"{name} {each}")
        return
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([name, *(_name(argument) for argument in arguments)])
    yield f"\n## {name}\n\n{_one_line(command.help)}\n\n    {usage}\n"
    if arguments or options:
        yield "\n| | |\n|---|---|\n"
    for argument in arguments:
        optional = "" if argument.required else " May be left out."
        yield f"| `{_name(argument)}` | {_one_line(argument.help)}{optional} |\n"
    for option in options:
        needed = " Needed." if option.required else ""
        yield f"| `{option.opts[0]}` | {_one_line(option.help)}{needed} |\n"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name).strip("[]{}").upper()


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
