"""Reads texts given to a command as an option, from a file or from standard input. Other users of the machine see the
options in its list of processes, but not a file's content."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from referral_bus.errors import Reason, Refused
from referral_bus.files import trouble

MAX_BYTES = 64 * 1024  # more than any text may have; the rule of each field refuses a longer one by name
STANDARD_INPUT = "-"
_SUFFIX = "_file"


def file_option(option: str) -> Any:
    """The type of the option `OPTION-file`, which reads the text of `OPTION` from a file."""
    shown = f"The text of {option} from a file; - is standard input. Hidden from other users."
    return Annotated[str | None, typer.Option(f"{option}-file", metavar="FILE", help=shown)]


def from_files(said: Mapping[str, Any]) -> dict[str, Any]:
    """The values in `said`, with the content of each file `NAME_file` under NAME. Raises `Refused` where both are
    given, two files are standard input, or a file cannot be read."""
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
    """The text in a file of UTF-8, without a byte order mark and without the last line end. Raises `Refused` or
    `Unreachable` naming `option`."""
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
