"""TOML from a file, bounded: of a short text tomllib may otherwise raise `RecursionError`."""

import tomllib
from typing import Any

MAX_BYTES = 64 * 1024  # of a settings file; ours has some kilobytes


class NotToml(ValueError):
    """`why` is a fixed sentence, without a word of the file."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def load_toml(content: bytes) -> dict[str, Any]:
    """The document. Raises `NotToml`."""
    if len(content) > MAX_BYTES:
        raise NotToml("the file is over 64 KiB; settings are far shorter")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise NotToml("its brackets are nested too deep; no setting has any") from None
    except ValueError:  # what tomllib and the decoder raise
        raise NotToml("the file is not readable TOML") from None
