"""`register`: which registers a home takes, and what is said of the others."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.demo.federation import SignedRegister, example_template
from referral_bus.federation.register import read_register, render_register
from referral_bus.home import Home
from tests.kit.command import PLANTED, Command, Ended, assert_one_line, assert_refused
from tests.kit.homes import DEAD_KAFKA, RECIPIENT, Agency, new_stewards, signed_register
from tests.unit.deploy.app.conftest import Federation

Accept = Callable[..., Ended]


def pinned(agency: Agency) -> dict[str, bytes]:
    """Everything of the register in the home."""
    folder = agency.home / "register"
    paths = [agency.home / "register.pin.json", *folder.rglob("*.yaml")]
    return {str(path.relative_to(agency.home)): path.read_bytes() for path in paths if path.exists()}


def in_force(agency: Agency) -> Path:
    return Home(agency.home).registers.file


@pytest.fixture
def accept(federation: Federation, command: Command, tmp_path: Path) -> Accept:
    """Hands a register to the sender's home, and looks that a refused one has changed nothing."""

    def hand_in(files: SignedRegister, *options: str) -> Ended:
        register, signatures = tmp_path / "register.yaml", tmp_path / "register.signatures.yaml"
        register.write_bytes(files.register)
        signatures.write_bytes(files.signatures)
        before = pinned(federation.sender)
        said = command(federation.sender, "register", "accept", register, signatures, *options)
        assert (pinned(federation.sender) == before) or said.code == 0
        return said

    return hand_in


@pytest.fixture
def unjoined(federation: Federation) -> Federation:
    (federation.sender.home / "register.pin.json").unlink()
    shutil.rmtree(federation.sender.home / "register")
    return federation


def test_a_newer_register_is_taken_in_place_of_the_pinned_one(federation: Federation, accept: Accept) -> None:
    newer = signed_register(federation.folder, federation.stewards, version=2)
    said = accept(newer)
    assert (said.code, said.out) == (0, "version 2 of test-federation accepted\n")
    assert in_force(federation.sender).read_bytes() == newer.register
    assert accept(newer).code == 0


def test_an_older_one_is_refused(federation: Federation, accept: Accept) -> None:
    older = signed_register(federation.folder, federation.stewards, version=1)
    assert accept(signed_register(federation.folder, federation.stewards, version=2)).code == 0
    assert_refused(accept(older), "REGISTER_OLDER", "version")


def test_the_same_version_with_other_bytes_is_refused(federation: Federation, accept: Accept) -> None:
    other = signed_register(federation.folder, federation.stewards, lasts_days=299)
    assert_refused(accept(other), "REGISTER_CHANGED", "version")


def test_an_expired_one_is_refused(federation: Federation, accept: Accept) -> None:
    expired = signed_register(federation.folder, federation.stewards, version=2, lasts_days=-1)
    assert_refused(accept(expired), "REGISTER_EXPIRED", "expires_at")


def test_one_that_other_stewards_have_signed_is_refused(federation: Federation, accept: Accept) -> None:
    assert_refused(accept(signed_register(federation.folder, new_stewards(), version=2)), "REGISTER_UNSIGNED")


def test_one_that_too_few_have_signed_is_refused(federation: Federation, accept: Accept) -> None:
    newer = signed_register(federation.folder, federation.stewards, version=2)
    first_only = newer.signatures[: newer.signatures.index(b"- key_id", newer.signatures.index(b"- key_id") + 1)]
    assert_refused(accept(SignedRegister(newer.register, first_only)), "REGISTER_UNSIGNED")
    assert_refused(accept(SignedRegister(newer.register, b"signatures: []\n")), "REGISTER_UNSIGNED")
    assert_refused(accept(SignedRegister(newer.register + b"\n", newer.signatures)), "REGISTER_UNSIGNED")
    assert_refused(accept(SignedRegister(newer.register, PLANTED.encode())), "REGISTER_UNSIGNED")


def test_another_federations_is_refused(federation: Federation, accept: Accept) -> None:
    other = signed_register(federation.folder, federation.stewards, version=2, federation="other-federation")
    assert_refused(accept(other), "REGISTER_INVALID", "federation")


def test_the_first_one_is_taken_by_the_hash_that_the_stewards_tell_only(unjoined: Federation, accept: Accept) -> None:
    first = signed_register(unjoined.folder, unjoined.stewards)
    sha256 = read_register(first.register).sha256
    missing = accept(first)
    assert_refused(missing, "REGISTER_UNSIGNED", "sha256")
    assert "--sha256 is missing" in missing.err
    assert_refused(accept(first, "--sha256", "0" * 64), "REGISTER_UNSIGNED", "sha256")
    for wrong in (PLANTED, "", "0" * 63, "0" * 65):
        said = accept(first, "--sha256", wrong)
        assert_refused(said, "VALUE_REFUSED", "sha256")
        assert "64 hexadecimal digits" in said.err
    assert accept(first, "--sha256", f"{sha256[:32]} {sha256[32:]}".upper()).code == 0


def test_a_later_one_must_match_the_hash_too_where_one_is_given(federation: Federation, accept: Accept) -> None:
    newer = signed_register(federation.folder, federation.stewards, version=2)
    assert_refused(accept(newer, "--sha256", "abc"), "VALUE_REFUSED", "sha256")
    assert_refused(accept(newer, "--sha256", "0" * 64), "REGISTER_UNSIGNED", "sha256")
    assert read_register(in_force(federation.sender).read_bytes()).version == 1
    assert accept(newer, "--sha256", read_register(newer.register).sha256).code == 0


def test_another_federations_is_not_taken_as_the_first_one_either(unjoined: Federation, accept: Accept) -> None:
    other = signed_register(unjoined.folder, unjoined.stewards, federation="other-federation")
    sha256 = read_register(other.register).sha256
    assert_refused(accept(other, "--sha256", sha256), "REGISTER_INVALID", "federation")


NO_REGISTERS: list[tuple[bytes, str | None]] = [
    (PLANTED.encode(), None),
    (b"", "line 1"),
    (b"\xff\xfe", "line 1"),
    (b"[" * 100_000, "line 1"),
    (b"a: &a [*a]", "line 1"),
    (b"x" * 2_000_000, None),
]


@pytest.mark.parametrize(("content", "path"), NO_REGISTERS, ids=range(len(NO_REGISTERS)))
def test_what_is_no_register_is_refused_by_every_command(
    content: bytes, path: str | None, unjoined: Federation, accept: Accept, command: Command, tmp_path: Path
) -> None:
    good = signed_register(unjoined.folder, unjoined.stewards)
    assert_refused(accept(SignedRegister(content, good.signatures), "--sha256", "0" * 64), "REGISTER_INVALID", path)
    for verb in ("plan", "apply"):
        said = command(None, "register", verb, tmp_path / "register.yaml", "--kafka", DEAD_KAFKA)
        assert_refused(said, "REGISTER_INVALID", path)


def test_files_that_are_not_there_are_named_by_what_they_stand_for(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    there = in_force(federation.sender)
    missing = tmp_path / PLANTED
    assert_refused(command(federation.sender, "register", "accept", missing, there), "FILE_UNREADABLE", "REGISTER")
    assert_refused(command(federation.sender, "register", "accept", there, missing), "FILE_UNREADABLE", "SIGNATURES")
    assert_refused(command(None, "register", "plan", tmp_path, "--kafka", DEAD_KAFKA), "FILE_UNREADABLE", "REGISTER")


def test_kafka_that_is_not_there_is_unreachable(federation: Federation, command: Command) -> None:
    said = command(None, "register", "plan", in_force(federation.sender), "--kafka", DEAD_KAFKA)
    assert_one_line(said)
    assert said.err.startswith("referral-bus: KAFKA_UNREACHABLE: ")
    assert said.code == 3


@pytest.mark.parametrize(
    ("kafka", "reason"),
    [("PLANTED-7731", "SETTINGS_INVALID"), ("", "SETTINGS_INVALID"), ("PLANTED-7731.example:9092", "NOT_LOOPBACK")],
)
def test_an_address_of_kafka_that_will_not_do_is_refused(
    kafka: str, reason: str, federation: Federation, command: Command
) -> None:
    register = in_force(federation.sender)
    assert_refused(command(None, "register", "plan", register, "--kafka", kafka), reason, "kafka")


def test_lint_finds_nothing_in_the_example_and_says_what_is_wrong_elsewhere(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "register.yaml"
    file.write_bytes(example_template())
    assert command(None, "register", "lint", file) == Ended(0, "no findings\n", "")
    file.write_bytes(example_template().replace(b"  - code: justice\n", f"  - code: {PLANTED}\n".encode()))
    said = command(None, "register", "lint", file)
    assert said.code == 2
    assert "agencies[5].code" in said.out
    assert PLANTED not in said.out


def test_lint_names_what_a_version_cuts_off_as_advice(federation: Federation, command: Command, tmp_path: Path) -> None:
    old, new = in_force(federation.sender), tmp_path / "new.yaml"
    content = read_register(old.read_bytes()).content
    fewer = {
        "agencies": tuple(each for each in content.agencies if each.code != RECIPIENT),
        "agreements": tuple(each for each in content.agreements if RECIPIENT not in (each.sender, each.recipient)),
    }
    new.write_bytes(render_register(content.model_copy(update=fewer)))
    assert (
        f"advice: {RECIPIENT} is not listed any more: " in command(None, "register", "lint", new, "--against", old).out
    )
    cut = "is not listed any more"
    assert cut not in command(None, "register", "lint", new).out
    assert cut not in command(None, "register", "lint", old, "--against", old).out
    assert_refused(
        command(None, "register", "lint", new, "--against", tmp_path / "none"), "FILE_UNREADABLE", "--against"
    )
