"""A backup is believed by its MAC under the home's key, a ledger by its tables; no other file is written through."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deploy.app.backup_files import backup_key, write_backup
from referral_bus.federation.keyring import read_key
from tests.kit.command import Command, assert_one_line, assert_refused
from tests.kit.edited_backups import EDITS, ENDLESS, TRIGGER, VIEW, Edit
from tests.kit.homes import SENDER, Agency
from tests.kit.small_disk import small_disk
from tests.unit.deploy.app.conftest import Federation

PLANTS = {"a trigger": (TRIGGER,), "a view for a table": VIEW, "a view without end": ENDLESS}


def plant(ledger: Path, *statements: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def the_ledger(agency: Agency) -> bytes:
    return (agency.home / "ledger.sqlite").read_bytes()


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_backup_that_was_edited_without_the_homes_keys_is_never_opened(
    edit: Edit, federation: Federation, command: Command, tmp_path: Path
) -> None:
    backup = tmp_path / "ledger.backup"
    assert command(federation.sender, "agency", "backup", backup).code == 0
    edit(backup)
    before = the_ledger(federation.sender)
    assert_refused(command(federation.sender, "agency", "restored", "--from", backup), "HOME_INVALID", "FILE")
    assert the_ledger(federation.sender) == before
    assert not list(federation.sender.home.glob("ledger.restoring*"))


@pytest.mark.parametrize("statements", PLANTS.values(), ids=PLANTS)
def test_what_no_migration_has_made_is_refused_whoever_has_sealed_the_backup(
    statements: tuple[str, ...], federation: Federation, command: Command, tmp_path: Path
) -> None:
    inside, backup = tmp_path / "inside", tmp_path / "sealed"
    inside.write_bytes(the_ledger(federation.sender))
    plant(inside, *statements)
    key = backup_key(read_key(federation.sender.home / "keys" / "at-rest.key"), SENDER)
    with inside.open("rb") as ledger:
        write_backup(ledger, backup, key)
    before = the_ledger(federation.sender)
    assert_refused(command(federation.sender, "agency", "restored", "--from", backup), "HOME_INVALID", "FILE")
    assert the_ledger(federation.sender) == before


@pytest.mark.parametrize("statements", PLANTS.values(), ids=PLANTS)
def test_a_ledger_with_what_no_migration_has_made_is_not_gone_on_with(
    statements: tuple[str, ...], federation: Federation, command: Command
) -> None:
    plant(federation.sender.home / "ledger.sqlite", *statements)
    assert_refused(command(federation.sender, "agency", "restored"), "LEDGER_DAMAGED", "ledger")


def test_a_service_does_not_start_on_a_ledger_with_a_trigger(federation: Federation, command: Command) -> None:
    plant(federation.sender.home / "ledger.sqlite", TRIGGER)
    assert_refused(command(federation.sender, "agency", "run"), "LEDGER_DAMAGED", "ledger")


def test_what_other_agencies_had_announced_is_heard_anew_after_a_restore(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    backup = tmp_path / "ledger.backup"
    assert command(federation.sender, "agency", "backup", backup).code == 0
    assert command(federation.sender, "agency", "restored", "--from", backup).code == 0
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite")) as connection:
        peers = connection.execute("SELECT announcement, counter, incarnation FROM peers").fetchall()
    assert set(peers) == {(None, 0, 1)}


def test_a_pipe_is_no_backup_and_nothing_waits_for_it(federation: Federation, command: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    said = command(federation.sender, "agency", "restored", "--from", tmp_path / "pipe")
    assert_refused(said, "FILE_UNREADABLE", "FILE")


def test_a_backup_is_never_written_through_a_link(federation: Federation, command: Command, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert_refused(command(federation.sender, "agency", "backup", tmp_path / "link"), "FILE_EXISTS", "FILE")
    with (tmp_path / "any").open("w+b") as ledger, pytest.raises(Exception, match="FILE_EXISTS at FILE"):
        write_backup(ledger, tmp_path / "link", b"key")  # as when the link is made in the last moment
    assert not (tmp_path / "elsewhere").exists()


def test_a_backup_to_a_full_disk_names_the_target_and_leaves_nothing_behind(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.fill()
        (disk.folder / "filler").write_bytes(b"")
        (disk.folder / "filler").write_bytes(bytes(1024 * 1024 - 16 * 4096))  # the beginning still fits
        said = command(federation.sender, "agency", "backup", disk.folder / "ledger.backup")
        assert_one_line(said)
        assert said.code == 3
        assert said.err.startswith("referral-bus: FILE_UNREADABLE at FILE: ")
        assert "disk is full" in said.err
        assert [path.name for path in disk.folder.iterdir()] == ["filler"]
    assert not list(federation.sender.home.glob("*.backing-up"))
