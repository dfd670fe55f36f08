"""Texts that a person gives to a command: as an option, or from a file or standard input, where other users of the
machine cannot see them in its list of processes."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from referral_bus.errors import Reason, Refused
from referral_bus.files import trouble

MAX_BYTES = 64 * 1024  # more than any text may have; which one is too long is told by the rule of its field
STANDARD_INPUT = "-"
_SUFFIX = "_file"


def file_option(option: str) -> Any:
    """The type of `OPTION-file` beside `OPTION`."""
    shown = f"What {option} would say, from a file; - is standard input. Not seen by other users."
    return Annotated[str | None, typer.Option(f"{option}-file", metavar="FILE", help=shown)]


def from_files(said: Mapping[str, Any]) -> dict[str, Any]:
    """Each `NAME_file` becomes NAME, with the content of that file."""
    files = {name.removesuffix(_SUFFIX): path for name, path in said.items() if name.endswith(_SUFFIX) and path}
    texts = {name: value for name, value in said.items() if not name.endswith(_SUFFIX)}
    if list(files.values()).count(STANDARD_INPUT) > 1:
        raise Refused(Reason.VALUE_REFUSED, "standard input can stand for one of them only", _option(max(files)))
    for name, path in files.items():
        if texts.get(name) is not None:
            raise Refused(Reason.VALUE_REFUSED, "give the text or a file with it, not both", _option(name))
        texts[name] = read_text(path, _option(name))
    return texts


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}-file"


def read_text(path: str, option: str) -> str:
    """Without a byte order mark, and without the end of the last line."""
    try:
        if path == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file", option) from None
    except IsADirectoryError:
        raise Refused(Reason.FILE_UNREADABLE, "this is a folder, not a file", option) from None
    except OSError as error:
        raise trouble(error, Path(path), option) from None
    if len(content) > MAX_BYTES:
        raise Refused(Reason.TOO_LARGE, "the file is over 64 KiB; shorten it", option)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Reason.VALUE_REFUSED, "this is no text in UTF-8", option) from None
    return text.removesuffix("\n").removesuffix("\r")
