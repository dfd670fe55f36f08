"""Homes that are none, that others can read, or in which something is wrong: refused before anything happens."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.app.exit_codes import ExitCode
from referral_bus.broker.kafka import Unpacking
from referral_bus.home import Home, running
from tests.kit.command import PLANTED, Command, assert_one_line, assert_refused
from tests.kit.homes import Agency
from tests.kit.small_disk import small_disk
from tests.unit.deploy.app.conftest import Federation

COMMANDS = [
    ("inbox",),
    ("show", "abcdef"),
    ("publish", "{file}"),
    ("agency", "run"),
    ("agency", "key"),
    ("agency", "status"),
]


def as_it_is(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments", COMMANDS, ids=[" ".join(each[:2]) for each in COMMANDS])
def test_a_folder_that_is_no_home_is_refused(arguments: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    file = tmp_path / "good.json"
    shutil.copy("schemas/examples/referral-minimal.json", file)
    given = [each.format(file=file) for each in arguments]
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / PLANTED, tmp_path / "empty", file):
        assert_refused(command(Agency(folder), *given), "HOME_INVALID", "home")


def test_a_home_must_be_named(command: Command, monkeypatch: pytest.MonkeyPatch, federation: Federation) -> None:
    monkeypatch.delenv("REFERRAL_BUS_HOME", raising=False)
    assert_refused(command(None, "inbox"), "USAGE")
    monkeypatch.setenv("REFERRAL_BUS_HOME", str(federation.recipient.home))
    assert command(None, "inbox").code == 0


@pytest.mark.parametrize(
    ("path", "where"),
    [(".", "home"), ("keys", "keys"), ("keys/signing.key", "keys/signing.key"), ("ledger.sqlite", "ledger.sqlite")],
)
def test_a_home_that_others_can_read_is_refused(
    path: str, where: str, federation: Federation, command: Command
) -> None:
    for mode in (0o740, 0o704, 0o710, 0o601):
        (federation.recipient.home / path).chmod(mode)
        assert_refused(command(federation.recipient, "inbox"), "HOME_READABLE_BY_OTHERS", where)


def test_a_path_that_the_system_cannot_take_is_unreachable(command: Command) -> None:
    said = command(Agency(Path("/" + PLANTED * 1000)), "inbox")
    assert_one_line(said)
    assert said.code == 3


SETTINGS: list[tuple[str, str]] = [
    ("planted_7731 = 1", "planted_7731"),
    ("_env_file = '/etc/hostname'", "_env_file"),
    ("_cli_parse_args = true", "_cli_parse_args"),
    ("handover_retry_s = 'PLANTED-7731'", "handover_retry_s"),
    ("announce_every_s = 773100", "announce_every_s"),
    ("producer = 7731", "producer"),
    ("handover_workers = 0", "handover_workers"),
    ("resend_after_s = -7731", "resend_after_s"),
    ("resend_after_s = nan", "resend_after_s"),
    ("time_zone = 'PLANTED-7731'", "time_zone"),
    ("time_zone = '../../etc/hostname'", "time_zone"),
    ("handler = 'PLANTED-7731'", "handler"),
    ("[federation]\nPLANTED-7731 = 1", "settings.toml"),
    ("PLANTED-7731", "settings.toml"),
    ("producer = true\nproducer = false", "settings.toml"),
    ("\x00", "settings.toml"),
]


@pytest.mark.parametrize(("line", "path"), SETTINGS, ids=[repr(line) for line, _ in SETTINGS])
def test_a_wrong_setting_is_named(line: str, path: str, federation: Federation, command: Command) -> None:
    with (federation.sender.home / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write(f"\n{line}\n")
    before = as_it_is(federation.sender.home)
    for arguments in (("inbox",), ("agency", "run")):
        said = command(federation.sender, *arguments)
        assert_refused(said, "SETTINGS_INVALID", path)
    assert as_it_is(federation.sender.home) == before


def test_a_missing_setting_is_named(federation: Federation, command: Command) -> None:
    (federation.sender.home / "settings.toml").write_text("agency = 'family-women'\nkafka = '127.0.0.1:1'\n")
    assert_refused(command(federation.sender, "inbox"), "SETTINGS_INVALID", "federation")


def test_a_setting_of_the_environment_wins_and_is_checked_like_one_of_the_file(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFERRAL_BUS_TIME_ZONE", "Europe/Istanbul")
    assert "+03:00" in command(federation.recipient, "inbox").out
    monkeypatch.setenv("REFERRAL_BUS_TIME_ZONE", PLANTED)
    assert_refused(command(federation.recipient, "inbox"), "SETTINGS_INVALID", "REFERRAL_BUS_TIME_ZONE")


def no_database(home: Path) -> None:
    (home / "ledger.sqlite").write_bytes(PLANTED.encode() * 1000)


def of_another_agency(home: Path) -> None:
    shutil.copy(home.parent / "public-health" / "ledger.sqlite", home / "ledger.sqlite")


def key_damaged(home: Path) -> None:
    (home / "keys" / "signing.key").write_text(PLANTED)


def key_missing(home: Path) -> None:
    (home / "keys" / "at-rest.key").unlink()


def pin_missing(home: Path) -> None:
    (home / "register.pin.json").unlink()


def pin_damaged(home: Path) -> None:
    (home / "register.pin.json").write_text(f'{{"federation": "{PLANTED}"}}')


def register_missing(home: Path) -> None:
    Home(home).registers.file.unlink()


Break = Callable[[Path], None]
BROKEN: list[tuple[Break, str, str | None]] = [
    (no_database, "LEDGER_DAMAGED", "ledger"),
    (of_another_agency, "HOME_INVALID", "ledger"),
    (key_damaged, "HOME_INVALID", "keys/signing.key"),
    (key_missing, "HOME_INVALID", "keys/at-rest.key"),
    (pin_missing, "HOME_INVALID", None),
    (pin_damaged, "HOME_INVALID", None),
    (register_missing, "HOME_INVALID", "register.yaml"),
]


@pytest.mark.parametrize(("spoil", "reason", "path"), BROKEN, ids=[each[0].__name__ for each in BROKEN])
def test_a_home_with_a_broken_part_is_refused(
    spoil: Break, reason: str, path: str | None, federation: Federation, command: Command, tmp_path: Path
) -> None:
    spoil(federation.sender.home)
    file = tmp_path / "good.json"
    file.write_bytes(Path("schemas/examples/referral-minimal.json").read_bytes())
    before = as_it_is(federation.sender.home)
    for arguments in (("publish", file), ("agency", "run")):
        assert_refused(command(federation.sender, *arguments), reason, path)
    after = as_it_is(federation.sender.home)
    assert {name: after[name] for name in before} == before


def test_a_changed_register_is_refused_at_every_start(federation: Federation, command: Command) -> None:
    with Home(federation.sender.home).registers.file.open("ab") as register:
        register.write(f"# {PLANTED}\n".encode())
    assert_refused(command(federation.sender, "agency", "run"), "REGISTER_UNSIGNED")


def test_a_home_whose_key_the_register_does_not_list_runs_no_service(federation: Federation, command: Command) -> None:
    key = federation.sender.home / "keys" / "signing.key"
    key.write_text(Ed25519PrivateKey.generate().private_bytes_raw().hex())
    before = federation.sender.rows()
    assert_refused(command(federation.sender, "agency", "run"), "KEY_NOT_IN_REGISTER", "keys/signing.key")
    assert federation.sender.rows() == before


def test_a_second_service_on_the_same_home_is_refused(federation: Federation, command: Command) -> None:
    with running(Home(federation.sender.home)):
        for file in federation.sender.home.glob("run.*"):  # no file of the home is the lock
            file.unlink()
        assert_refused(command(federation.sender, "agency", "run"), "ALREADY_RUNNING", "home")
    assert not (federation.sender.home / "run.json").exists()


def test_a_second_service_takes_no_mark_of_the_running_one_for_its_end(
    federation: Federation, command: Command
) -> None:
    home = Home(federation.sender.home)
    with running(home):
        Unpacking(home.unpacking).place().begin(bytes(range(16)))
        before = home.unpacking.read_bytes()
        for _ in range(3):
            assert_refused(command(federation.sender, "agency", "run"), "ALREADY_RUNNING", "home")
    assert home.unpacking.read_bytes() == before


def test_a_home_by_another_name_is_locked_too(federation: Federation, command: Command, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(federation.sender.home)
    with running(Home(federation.sender.home)):
        assert_refused(command(Agency(tmp_path / "link"), "agency", "run"), "ALREADY_RUNNING", "home")


@pytest.mark.parametrize("link", [Path.hardlink_to, Path.symlink_to], ids=["hard", "symbolic"])
def test_a_ledger_with_a_second_name_is_refused(
    link: Callable[[Path, Path], None], federation: Federation, command: Command, tmp_path: Path
) -> None:
    """Two homes, two locks, one ledger."""
    second = Agency(tmp_path / "second")
    shutil.copytree(federation.sender.home, second.home, ignore=lambda *_: ["ledger.sqlite"])
    link(second.home / "ledger.sqlite", federation.sender.home / "ledger.sqlite")
    for arguments in (("inbox",), ("agency", "run")):
        assert_refused(command(second, *arguments), "HOME_INVALID", "ledger")
    (second.home / "ledger.sqlite").unlink()
    assert command(federation.sender, "inbox").code == 0


@pytest.mark.parametrize(("linked", "where"), [(".", "home"), ("keys", "keys")])
def test_a_link_is_judged_by_what_it_leads_to(
    linked: str, where: str, federation: Federation, command: Command, tmp_path: Path
) -> None:
    home, elsewhere = federation.sender.home, tmp_path / "elsewhere"
    (home / linked).rename(elsewhere)
    (home / linked).symlink_to(elsewhere)
    assert command(Agency(home), "inbox").code == 0
    for mode in (0o755, 0o777):
        elsewhere.chmod(mode)
        assert_refused(command(Agency(home), "inbox"), "HOME_READABLE_BY_OTHERS", where)
    elsewhere.chmod(0o700)
    (elsewhere / "open").touch()
    (elsewhere / "open").chmod(0o644)
    inside = "open" if linked == "." else f"{linked}/open"
    assert_refused(command(Agency(home), "inbox"), "HOME_READABLE_BY_OTHERS", inside)


def test_a_handler_that_is_not_there_is_named(federation: Federation, command: Command) -> None:
    with (federation.sender.home / "settings.toml").open("a", encoding="utf-8") as settings:
        settings.write("handler = 'planted_7731.module:factory'\n")
    said = command(federation.sender, "agency", "run")
    assert_refused(said, "SETTINGS_INVALID", "handler", "planted_7731")


def test_a_new_home_is_made_once_and_readable_by_its_owner_only(command: Command, tmp_path: Path) -> None:
    new = Agency(tmp_path / "deeper" / "new")
    options = ("--agency", "mahalla", "--federation", "test-federation", "--kafka", "127.0.0.1:9092")
    made = command(new, "agency", "init", *options, "--json").document
    assert set(made) == {"agency", "public_key", "proof"}
    assert command(new, "agency", "key", "--json").document == made
    for path in (new.home, *new.home.rglob("*")):
        assert os.stat(path).st_mode & 0o077 == 0  # noqa: PTH116
    before = as_it_is(new.home)
    assert_refused(command(new, "agency", "init", *options), "HOME_INVALID", "home")
    assert as_it_is(new.home) == before


def test_a_home_after_one_that_was_lost_goes_on_above_it(command: Command, tmp_path: Path) -> None:
    for folder, options, expected in (("first", (), False), ("again", ("--again",), True)):
        home = tmp_path / folder
        given = ("--agency", "mahalla", "--federation", "test-federation", "--kafka", "127.0.0.1:9092")
        assert command(Agency(home), "agency", "init", *given, *options).code == 0
        with closing(sqlite3.connect(home / "ledger.sqlite")) as ledger:
            [incarnation] = ledger.execute("SELECT incarnation FROM agency").fetchone()
        assert (incarnation > 100_000) == expected, "minutes since 2026, or 1"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--agency", PLANTED), ("--agency", ""), ("--federation", PLANTED), ("--kafka", PLANTED), ("--kafka", "a:1,b")],
)
def test_a_home_for_nonsense_is_not_made(option: str, value: str, command: Command, tmp_path: Path) -> None:
    given = {"--agency": "mahalla", "--federation": "test-federation", "--kafka": "127.0.0.1:9092"} | {option: value}
    said = command(Agency(tmp_path / "new"), "agency", "init", *(word for pair in given.items() for word in pair))
    assert_refused(said, "SETTINGS_INVALID", option)
    assert not (tmp_path / "new").exists()


def test_a_home_is_not_made_inside_a_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    options = ("--agency", "mahalla", "--federation", "test-federation", "--kafka", "127.0.0.1:9092")
    for folder in ("file", "file/deeper"):
        assert_refused(command(Agency(tmp_path / folder), "agency", "init", *options), "HOME_INVALID", "home")


@pytest.mark.parametrize(
    "init", [("agency", "init", "--agency", "mahalla"), ("monitor", "init")], ids=["an agency", "the monitor"]
)
def test_of_a_home_on_a_full_disk_nothing_is_left_and_the_same_command_makes_it_later(
    init: tuple[str, ...], command: Command, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        home = disk.folder / "home"
        arguments = (*init, "--federation", "example", "--kafka", "127.0.0.1:9092", "--home", home)
        disk.fill()
        refused = command(None, *arguments)
        left = home.exists()
        disk.free()
        made = command(None, *arguments)

    assert_one_line(refused)
    assert refused.code == ExitCode.UNREACHABLE
    assert "the disk is full" in refused.err
    assert not left
    assert made.code == ExitCode.DONE
