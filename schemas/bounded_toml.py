"""Parses a TOML file of bounded size, and turns every error of tomllib into `NotToml`, a `RecursionError` included."""

import tomllib
from typing import Any

MAX_BYTES = 64 * 1024  # of a settings file; one with every setting takes some kilobytes


class NotToml(ValueError):
    """The file is too long or no TOML. `why` is a fixed sentence that quotes nothing of the file."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def load_toml(content: bytes) -> dict[str, Any]:
    """The parsed document. Raises `NotToml` for more than `MAX_BYTES`, or for content that is no TOML in UTF-8."""
    if len(content) > MAX_BYTES:
        raise NotToml("the file is over 64 KiB; settings are far shorter")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise NotToml("its brackets are nested too deep; no setting has any") from None
    except ValueError:  # what tomllib and the decoder raise
        raise NotToml("the file is not readable TOML") from None
