"""An agency's keys in its home folder: made once, for its owner only, and gone when they are over."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.federation.keyring import KEPT_FOR, create_keys, destroy_keys, load_keys, write_key
from referral_bus.wire.signing import key_id_of
from schemas.sealing_keys import AHEAD, EPOCH, epoch_at

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
CURRENT = epoch_at(NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys", NOW)
    return tmp_path / "keys"


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_there_are_always_the_keys_of_this_epoch_and_of_the_next_two(folder: Path) -> None:
    keys = load_keys(folder, NOW).announced(NOW)
    assert [key.epoch for key in keys] == [CURRENT, CURRENT + 1, CURRENT + AHEAD]
    assert keys[0].valid_from <= NOW < keys[0].valid_until == keys[1].valid_from
    later = load_keys(folder, NOW + EPOCH).announced(NOW + EPOCH)
    assert later[:2] == keys[1:]
    assert later[2].epoch == CURRENT + 3


def test_keys_are_read_again_as_they_were_written_and_belong_to_their_owner(folder: Path) -> None:
    first, second = load_keys(folder, NOW), load_keys(folder, NOW)
    assert (first.signing_public, first.at_rest) == (second.signing_public, second.at_rest)
    assert first.announced(NOW) == second.announced(NOW)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_key_that_is_there_is_never_overwritten(folder: Path) -> None:
    before = (folder / "signing.key").read_bytes()
    write_key(folder / "signing.key", bytes(32))
    assert (folder / "signing.key").read_bytes() == before
    assert all(name.endswith(".key") for name in _files(folder))


def test_a_key_is_over_two_weeks_after_its_epoch_and_not_before(folder: Path) -> None:
    keyring = load_keys(folder, NOW)
    end = keyring.announced(NOW)[0].valid_until
    assert keyring.over(end + KEPT_FOR - timedelta(milliseconds=1)) == ()
    assert keyring.over(end + KEPT_FOR) == (CURRENT,)
    assert timedelta(days=14) == KEPT_FOR


def test_a_destroyed_key_is_overwritten_before_it_is_removed(folder: Path) -> None:
    path = folder / f"sealing-{CURRENT}.key"
    secret = path.read_bytes()
    os.link(path, folder / "same-block")  # another name of the same place on the disk
    destroy_keys(folder, [CURRENT])
    assert not path.exists()
    assert secret not in (folder / "same-block").read_bytes()
    assert len((folder / "same-block").read_bytes()) == len(secret)


def test_a_destroyed_key_opens_nothing_any_more_and_the_others_still_do(folder: Path) -> None:
    keyring = load_keys(folder, NOW)
    ids = [key_id_of(key.public_key) for key in keyring.announced(NOW)]
    left = keyring.without([CURRENT])
    assert [left.find_sealing(key_id) is None for key_id in ids] == [True, False, False]
    destroy_keys(folder, [CURRENT])
    again = load_keys(folder, NOW + 2 * EPOCH)
    assert [again.find_sealing(key_id) is None for key_id in ids] == [True, False, False]


def test_a_crash_between_overwriting_and_removing_leaves_a_home_that_opens(folder: Path) -> None:
    path = folder / f"sealing-{CURRENT}.key"
    length = path.stat().st_size
    path.write_bytes(bytes(32).hex().encode() + b"\n")
    assert path.stat().st_size == length
    load_keys(folder, NOW)
    destroy_keys(folder, [CURRENT])
    assert not path.exists()


def test_what_another_process_has_destroyed_already_is_no_error(folder: Path) -> None:
    destroy_keys(folder, [CURRENT - 9])


def test_a_damaged_key_is_refused_by_its_name(folder: Path) -> None:
    (folder / f"sealing-{CURRENT}.key").write_text("PLANTED-7731")
    with pytest.raises(Refused) as refused:
        load_keys(folder, NOW)
    assert (refused.value.reason, refused.value.path) == (Reason.HOME_INVALID, f"keys/sealing-{CURRENT}.key")


def test_a_folder_that_cannot_be_written_is_something_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as unreachable:
        load_keys(tmp_path / "gone", NOW)
    assert unreachable.value.reason is Reason.FILE_UNREADABLE
