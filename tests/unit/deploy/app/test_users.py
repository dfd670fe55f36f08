"""A home belongs to one user: what root types there keeps it so, and other users are refused before anything is
written."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from referral_bus.files import trouble
from tests.kit.command import NOTHING_LEAVES, Command, assert_refused
from tests.kit.users import OWNER, ROOT, STRANGER, command_as, folder_for_all, give
from tests.unit.deploy.app.conftest import Federation


@pytest.fixture
def home(federation: Federation) -> Iterator[Path]:
    """The recipient's, which belongs to OWNER."""
    with folder_for_all() as folder:
        copied = folder / "home"
        shutil.copytree(federation.recipient.home, copied)
        give(copied, OWNER)
        yield copied


def owners(home: Path) -> set[tuple[int, int]]:
    found = [path.stat() for path in (home, *home.rglob("*"))]
    return {(each.st_uid, each.st_gid) for each in found}


def test_what_root_types_leaves_every_file_to_the_homes_owner(home: Path, federation: Federation) -> None:
    """An erasure writes a key, the ledger, its log, the journal and the mark that no ledger may be behind."""
    newest = max((home / "keys").glob("sealing-*"))
    newest.unlink()
    withdrawn = command_as(ROOT, "withdraw", federation.referral, "--yes", "--home", home)
    assert (withdrawn.returncode, withdrawn.stderr) == (0, NOTHING_LEAVES)
    assert newest.exists()
    assert (home / "outside-backups" / "high-water.json").exists()
    assert command_as(ROOT, "agency", "webhook-secret", "--home", home).returncode == 0
    backups = home.parent / "backups"
    backups.mkdir()
    give(backups, OWNER)
    assert command_as(ROOT, "agency", "backup", backups / "ledger.backup", "--home", home).returncode == 0
    assert owners(home) == owners(backups) == {(OWNER, OWNER)}
    shown = command_as(OWNER, "inbox", "--home", home)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_another_user_is_refused_and_told_whose_the_home_is(home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    said = command_as(STRANGER, "inbox", "--home", home)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("referral-bus: HOME_OF_ANOTHER_USER at home: ")
    assert f"user {OWNER}" in said.stderr
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["settings.toml", "keys/signing.key", "register.pin.json", "ledger.sqlite"])
def test_a_file_of_another_user_in_a_home_is_named_with_its_owner(
    name: str, federation: Federation, command: Command
) -> None:
    os.chown(federation.sender.home / name, STRANGER, STRANGER)
    said = command(federation.sender, "inbox")
    assert_refused(said, "HOME_OF_ANOTHER_USER", name)
    assert f"user {STRANGER}" in said.err
    assert "chown" in said.err


def test_what_root_sets_up_in_a_folder_of_the_owner_is_the_owners() -> None:
    with folder_for_all() as folder:
        for of, options in (("agency", ("--agency", "mahalla")), ("monitor", ())):
            home = folder / of
            home.mkdir(mode=0o700)
            give(home, OWNER)
            given = ("--federation", "test-federation", "--kafka", "127.0.0.1:9092")
            made = command_as(ROOT, of, "init", *options, *given, "--home", home)
            assert (made.returncode, made.stderr) == (0, "")
            assert owners(home) == {(OWNER, OWNER)}


def test_a_file_that_may_not_be_read_says_whose_it_is_and_never_that_it_is_damaged(home: Path) -> None:
    register = next((home / "register").glob("*/register.yaml"))
    marks = home / "outside-backups"
    marks.mkdir(mode=0o700, exist_ok=True)
    (marks / "high-water.json").write_text('{"incarnation": 1, "audit_count": 0}')
    (marks / "high-water.json").chmod(0o600)
    give(home, OWNER)
    for file in (
        home / "settings.toml",
        home / "keys" / "signing.key",
        home / "register.pin.json",
        register,
        home / "ledger.sqlite",
        marks / "high-water.json",
    ):
        mode = file.stat().st_mode
        file.chmod(0)
        said = command_as(OWNER, "agencies", "--home", home)
        file.chmod(mode)
        assert (said.returncode, said.stdout) == (3, ""), (file.name, said.stderr)
        assert "cannot be read" in said.stderr, file.name
        assert f"belongs to user {OWNER}" in said.stderr, file.name
        assert "damaged" not in said.stderr, file.name
        assert "missing" not in said.stderr, file.name


def test_a_file_in_a_folder_of_another_user_is_told_by_that_user(tmp_path: Path) -> None:
    os.chown(tmp_path, STRANGER, STRANGER)
    told = trouble(PermissionError(13, "forbidden"), tmp_path / "missing", "missing")
    assert f"the folder it is in belongs to user {STRANGER}" in told.advice
