"""The register of a home: the old version or the new one is in force, whatever is broken off and wherever."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.demo.federation import SignedRegister
from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.federation.register import Register, parse_register, read_register, render_register
from referral_bus.federation.register_folder import RegisterFolder
from referral_bus.federation.trust import render_signatures, sign_register
from referral_bus.home import known_services
from tests.kit.bench import START
from tests.kit.made_once import federation
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.waiting import PATIENCE_S

CODES = (SENDER, RECIPIENT)
GENERATED, FIRST = federation(CODES, START)
STEPS = ("written", "in place", "pinned")


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def _version(number: int) -> SignedRegister:
    content = read_register(GENERATED.files.register).content.model_copy(update={"version": number})
    data = render_register(content)
    signatures = [sign_register(data, key) for key in GENERATED.steward_keys.values()]
    return SignedRegister(data, render_signatures(signatures))


FILES = {1: GENERATED.files, 2: _version(2), 3: _version(3)}


@pytest.fixture
def folder(tmp_path: Path) -> RegisterFolder:
    """With the first version in force."""
    made = RegisterFolder(tmp_path, known_services(), "register accept")
    _accept(made, 1, sha256=FIRST.sha256)
    return made


def _accept(folder: RegisterFolder, version: int, dies_after: str | None = None, sha256: str | None = None) -> Register:
    def step(name: str) -> None:
        if name == dies_after:
            raise Killed

    files = FILES[version]
    return folder.accept(files.register, files.signatures, START, FIRST.federation, sha256, step)


def _versions(folder: RegisterFolder) -> set[str]:
    return {path.name.split("-")[0] for path in (folder.home / "register").iterdir()}


def test_what_was_accepted_is_in_force_byte_by_byte_and_for_its_owner_only(folder: RegisterFolder) -> None:
    assert folder.read(START).version == 1
    assert folder.file.read_bytes() == FILES[1].register
    assert {path.stat().st_mode & 0o077 for path in (folder.home / "register").rglob("*")} == {0}


@pytest.mark.parametrize("dies_after", STEPS)
def test_broken_off_after_any_step_the_old_one_or_the_new_one_is_in_force(
    dies_after: str, folder: RegisterFolder
) -> None:
    with pytest.raises(Killed):
        _accept(folder, 2, dies_after)
    assert folder.read(START).version == (2 if dies_after == "pinned" else 1)
    assert _accept(folder, 2).version == 2
    assert folder.read(START).version == 2
    assert _versions(folder) == {"1", "2"} if dies_after != "pinned" else {"2"}


@pytest.mark.parametrize("dies_after", STEPS)
def test_the_first_one_too_is_accepted_or_not_at_all(dies_after: str, tmp_path: Path) -> None:
    folder = RegisterFolder(tmp_path, known_services(), "register accept")
    with pytest.raises(Killed):
        _accept(folder, 1, dies_after, FIRST.sha256)
    if dies_after == "pinned":
        assert folder.read(START).version == 1
    else:
        with pytest.raises(Refused, match="register accept"):
            folder.read(START)
    assert _accept(folder, 1, sha256=FIRST.sha256).version == 1
    assert folder.read(START).version == 1


def test_only_the_version_in_force_and_the_one_before_are_kept(folder: RegisterFolder) -> None:
    for version in (2, 3):
        _accept(folder, version)
    assert _versions(folder) == {"2", "3"}
    assert not [path for path in (folder.home / "register").iterdir() if path.name.startswith(".")]


def test_accepting_the_same_one_again_changes_nothing(folder: RegisterFolder) -> None:
    before = folder.file.stat().st_mtime_ns
    assert _accept(folder, 1, dies_after="written").version == 1
    assert folder.file.stat().st_mtime_ns == before


def test_a_version_in_force_whose_files_are_gone_is_mended_by_accepting_it_again(folder: RegisterFolder) -> None:
    place = folder.file.parent
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    with pytest.raises(Refused) as refused:
        folder.read(START)
    assert (refused.value.reason, refused.value.path) == (Reason.HOME_INVALID, "register.yaml")
    _accept(folder, 1)
    assert folder.read(START).version == 1


def test_whoever_reads_meanwhile_reads_a_whole_version(folder: RegisterFolder) -> None:
    done, read = threading.Event(), set[int]()

    def reads() -> None:
        while not done.is_set():
            read.add(folder.read(START + timedelta(days=1)).version)

    reader = threading.Thread(target=reads)
    reader.start()
    for version in (2, 3):
        _accept(folder, version)
    while 3 not in read and reader.is_alive():
        pass
    done.set()
    reader.join(PATIENCE_S)
    assert read <= {1, 2, 3}
    assert 3 in read


def test_a_disk_that_cannot_be_written_is_something_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "register").touch()
    with pytest.raises(Unreachable) as unreachable:
        _accept(RegisterFolder(tmp_path, known_services(), "register accept"), 1, sha256=FIRST.sha256)
    assert unreachable.value.reason is Reason.FILE_UNREADABLE


def test_another_federations_register_changes_nothing(folder: RegisterFolder) -> None:
    files = FILES[2]
    with pytest.raises(Refused, match="another federation"):
        folder.accept(files.register, files.signatures, START, "other-federation", None)
    assert folder.read(START).version == 1
    assert parse_register(folder.file.read_bytes(), known_services()).version == 1
