"""A home whose ledger is missing, damaged, or lacks its newest part: every command and the service say so and stop."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deploy.app.agency_client import open_client
from tests.kit.command import Command, assert_one_line, assert_refused
from tests.kit.homes import RECIPIENT, Agency
from tests.kit.people import request
from tests.unit.deploy.app.conftest import Federation


def overwritten(ledger: Path) -> None:
    with ledger.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (ledger.stat().st_size - 4096))


def cut(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])


def emptied(ledger: Path) -> None:
    ledger.write_bytes(b"")


def missing(ledger: Path) -> None:
    ledger.unlink()


COMMANDS = [("inbox",), ("agency", "run"), ("why", "abcdef")]


@pytest.mark.parametrize("damage", [overwritten, cut, emptied, missing], ids=lambda each: each.__name__)
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[-1])
def test_a_damaged_ledger_is_one_clear_line_that_says_what_to_do(
    damage: Callable[[Path], None], arguments: tuple[str, ...], federation: Federation, command: Command
) -> None:
    ledger = federation.sender.home / "ledger.sqlite"
    damage(ledger)
    before = ledger.read_bytes() if ledger.exists() else None
    said = command(federation.sender, *arguments)
    assert_refused(said, "LEDGER_DAMAGED", "ledger")
    assert "agency restored" in said.err
    assert (ledger.read_bytes() if ledger.exists() else None) == before


def test_damage_that_no_command_meets_is_found_when_the_service_starts(
    federation: Federation, command: Command
) -> None:
    """The last page belongs to a table that `inbox` does not read."""
    ledger = federation.recipient.home / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'inboxes'").fetchone()[0]
    with ledger.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert command(federation.recipient, "inbox").code == 0
    assert_refused(command(federation.recipient, "agency", "run"), "LEDGER_DAMAGED", "ledger")


def test_a_ledger_whose_write_ahead_log_is_gone_is_behind_what_has_left_it(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    client = open_client(federation.sender.home)
    client.publish([request(RECIPIENT)])
    client.rollback_guard.keep_up(client.ledger)  # as before anything leaves
    copy = Agency(tmp_path / "copy")
    shutil.copytree(federation.sender.home, copy.home, ignore=lambda *_: ["ledger.sqlite-wal", "ledger.sqlite-shm"])
    client.close()
    assert_refused(command(copy, "inbox"), "LEDGER_BEHIND", "ledger")


def test_a_service_whose_ledger_is_locked_at_its_start_says_so_and_may_be_started_again(
    federation: Federation, command: Command
) -> None:
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = command(federation.sender, "agency", "run")
    assert_one_line(said)
    assert said.code == 3
    assert "another process holds it" in said.err
