"""Stand-ins for the programs on PATH: what a test does not provide is not installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

Provide = Callable[[str, str], None]


@pytest.fixture
def provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provide:
    """`provide("java", script)` puts an executable of that name on a PATH on which nothing else is."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put
