"""`agency backup` and `agency restored`: a copy while others write, and going on after it was put back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deploy.app.agency_client import open_client
from deploy.app.backup_files import backup_key, take_out
from referral_bus.federation.keyring import read_key
from referral_bus.home import open_home, running
from tests.kit.command import Command, assert_refused
from tests.kit.homes import Agency, Post
from tests.unit.deploy.app.conftest import Federation


def key_of(agency: Agency) -> bytes:
    return backup_key(read_key(agency.home / "keys" / "at-rest.key"), agency.home.name)


def _behind(federation: Federation, post: Post, command: Command, folder: Path) -> tuple[Agency, Path]:
    """The sender's ledger has been sent from since the backup, and the backup stands in its place."""
    agency, backup = federation.sender, folder / "ledger.backup"
    assert command(agency, "agency", "backup", backup).code == 0
    post.refer("Synthetic, after the backup.")
    client = open_client(agency.home)
    client.rollback_guard.keep_up(client.ledger)
    client.close()
    return agency, backup


def test_a_backup_is_one_whole_file_that_only_its_owner_reads(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    backup, ledger = tmp_path / "ledger.backup", tmp_path / "ledger"
    assert command(federation.sender, "agency", "backup", backup).code == 0
    take_out(backup, ledger, key_of(federation.sender))
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM referrals").fetchone() == (1,)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"ledger.backup", "ledger"}
    assert backup.stat().st_mode & 0o077 == 0
    assert not list(federation.sender.home.glob("*.backing-up"))


def test_a_file_that_is_there_is_never_overwritten(federation: Federation, command: Command, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("somebody's own")
    assert_refused(command(federation.sender, "agency", "backup", tmp_path / "kept"), "FILE_EXISTS", "FILE")
    assert (tmp_path / "kept").read_text() == "somebody's own"


def test_where_nothing_can_be_written_it_says_so(federation: Federation, command: Command, tmp_path: Path) -> None:
    said = command(federation.sender, "agency", "backup", tmp_path / "no" / "such" / "folder")
    assert (said.code, said.out) == (3, "")
    assert "FILE_UNREADABLE at FILE" in said.err


def test_a_ledger_that_is_older_than_what_was_sent_takes_no_command_but_restored(
    federation: Federation, post: Post, command: Command, tmp_path: Path
) -> None:
    agency, backup = _behind(federation, post, command, tmp_path)
    post.close()
    for end in ("", "-wal", "-shm"):
        Path(f"{agency.home / 'ledger.sqlite'}{end}").unlink(missing_ok=True)
    take_out(backup, agency.home / "ledger.sqlite", key_of(agency))  # an old ledger, by another way than --from
    for arguments in (("inbox",), ("cancel", federation.referral), ("agency", "run")):
        refused = command(agency, *arguments)
        assert_refused(refused, "LEDGER_BEHIND", "ledger")
        assert "agency restored" in refused.err
    done = command(agency, "agency", "restored", "--json").document
    again = command(agency, "agency", "restored", "--json").document
    assert (done["erased"], again["erased"]) == (0, 0)
    leaps = (done["incarnation"] - 1, again["incarnation"] - done["incarnation"])
    assert min(leaps) > 0
    assert leaps != (1, 1)  # a thief can guess neither
    assert command(agency, "inbox").code == 0


def test_with_from_the_backup_is_put_in_place_first(
    federation: Federation, post: Post, command: Command, tmp_path: Path
) -> None:
    agency, backup = _behind(federation, post, command, tmp_path)
    post.close()
    assert command(agency, "agency", "restored", "--from", backup).code == 0
    shown = command(agency, "show", federation.referral, "--json").document
    assert shown["status"] == "requested"
    assert not list(agency.home.glob("*.restoring"))


@pytest.mark.parametrize("content", [b"", b"no database at all" * 400, None])
def test_what_is_no_ledger_of_this_agency_is_not_put_in_place(
    federation: Federation, command: Command, tmp_path: Path, content: bytes | None
) -> None:
    wrong = tmp_path / "wrong"
    if content is None:
        assert command(federation.recipient, "agency", "backup", wrong).code == 0
    else:
        wrong.write_bytes(content)
    before = (federation.sender.home / "ledger.sqlite").read_bytes()
    assert_refused(command(federation.sender, "agency", "restored", "--from", wrong), "HOME_INVALID", "FILE")
    assert (federation.sender.home / "ledger.sqlite").read_bytes() == before
    assert command(federation.sender, "show", federation.referral).code == 0


def test_while_the_service_runs_nothing_is_restored(federation: Federation, command: Command) -> None:
    with running(open_home(federation.sender.home)):
        assert_refused(command(federation.sender, "agency", "restored"), "ALREADY_RUNNING", "home")


def test_what_was_erased_since_the_backup_stays_erased(
    federation: Federation, post: Post, command: Command, tmp_path: Path
) -> None:
    backup = tmp_path / "ledger.backup"
    assert command(federation.recipient, "agency", "backup", backup).code == 0
    assert command(federation.sender, "withdraw", federation.referral, "--yes").code == 0
    post.settle()
    client = open_client(federation.recipient.home)
    client.rollback_guard.keep_up(client.ledger)
    client.close()
    post.close()
    done = command(federation.recipient, "agency", "restored", "--from", backup, "--json").document
    assert done["erased"] == 1
    assert "was erased here" in command(federation.recipient, "show", federation.referral).out


def test_a_restore_that_was_killed_leaves_no_copy_behind_once_anything_is_started_again(
    federation: Federation, post: Post, command: Command
) -> None:
    """It holds what was erased since the backup, beside the key that opens it."""
    left = federation.sender.home / "ledger.restoring"
    left.write_bytes(b"a copy of a backup")
    left.chmod(0o600)
    post.close()
    assert command(federation.sender, "agency", "restored").code == 0
    assert not left.exists()


def test_a_copy_of_a_ledger_is_no_backup_and_leaves_nothing_beside_the_one_that_is_there(
    federation: Federation, post: Post, command: Command, tmp_path: Path
) -> None:
    copied = tmp_path / "copied.sqlite"
    shutil.copy(federation.sender.home / "ledger.sqlite", copied)
    post.close()
    assert_refused(command(federation.sender, "agency", "restored", "--from", copied), "HOME_INVALID", "FILE")
    assert not list(federation.sender.home.glob("ledger.restoring*"))


@pytest.mark.parametrize(
    ("damaged", "place"),
    [("keys/at-rest.key", "keys/at-rest.key"), ("outside-backups/tombstones.jsonl", "tombstones.jsonl")],
)
def test_where_something_else_of_the_home_is_damaged_no_backup_takes_the_ledgers_place(
    damaged: str, place: str, federation: Federation, post: Post, command: Command, tmp_path: Path
) -> None:
    """Whoever mends it then would have lost all that came since the backup."""
    home, backup = federation.sender.home, tmp_path / "ledger.backup"
    assert command(federation.sender, "agency", "backup", backup).code == 0
    post.refer("Synthetic, after the backup.")
    client = open_client(home)
    client.rollback_guard.keep_up(client.ledger)
    client.close()
    post.close()
    marks = (home / "outside-backups" / "high-water.json").read_bytes()
    file = home / damaged
    whole = file.read_bytes() if file.exists() else b""
    file.write_bytes(b"damaged\n")
    file.chmod(0o600)
    assert_refused(command(federation.sender, "agency", "restored", "--from", backup), "HOME_INVALID", place)
    assert (home / "outside-backups" / "high-water.json").read_bytes() == marks
    file.write_bytes(whole)
    assert command(federation.sender, "show", federation.referral).code == 0, "or it would be LEDGER_BEHIND"


def test_a_backup_that_is_not_there_is_a_wrong_name_and_no_trouble_with_the_disk(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    for nothing in (tmp_path / "none", tmp_path):
        said = command(federation.sender, "agency", "restored", "--from", nothing)
        assert_refused(said, "FILE_UNREADABLE", "FILE", str(nothing))
