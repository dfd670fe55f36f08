import os
from pathlib import Path

import pytest

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.federation.pin import Pin, load_pin, save_pin
from tests.kit.register_builders import FEDERATION, document, register_of

PIN = Pin(federation=FEDERATION, version=7, sha256="ab" * 32, stewards=register_of(document()).content.stewards)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "register-pin.json"


def test_a_pin_is_kept_for_its_owner_only(file: Path) -> None:
    before = os.umask(0)
    try:
        save_pin(file, PIN)
    finally:
        os.umask(before)
    assert load_pin(file) == PIN
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_newer_pin_takes_the_place_of_the_old_and_leaves_nothing_beside_it(file: Path) -> None:
    save_pin(file, PIN)
    save_pin(file, PIN.model_copy(update={"version": 8}))
    assert load_pin(file).version == 8
    assert [kept.name for kept in file.parent.iterdir()] == [file.name]


def test_a_pin_that_cannot_be_put_in_place_says_so_and_leaves_nothing_behind(file: Path) -> None:
    file.mkdir()
    with pytest.raises(Unreachable, match="cannot be written"):
        save_pin(file, PIN)
    assert [kept.name for kept in file.parent.iterdir()] == [file.name]


def test_a_pin_for_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be written"):
        save_pin(tmp_path / "no-home" / "register-pin.json", PIN)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", PIN.model_dump_json().replace("7", '"7"', 1).encode()])
def test_a_damaged_pin_is_refused_and_never_made_anew(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(Refused, match="damaged") as caught:
        load_pin(file)
    assert caught.value.reason is Reason.HOME_INVALID
    assert file.read_bytes() == content


def test_a_missing_pin_says_to_join_first(file: Path) -> None:
    with pytest.raises(Refused, match="join the federation") as caught:
        load_pin(file)
    assert caught.value.reason is Reason.HOME_INVALID


def test_a_pin_that_cannot_be_read_is_told_apart_from_a_missing_one(file: Path) -> None:
    file.mkdir()
    with pytest.raises(Unreachable) as caught:
        load_pin(file)
    assert caught.value.reason is Reason.FILE_UNREADABLE
