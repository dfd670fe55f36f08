"""Texts from files and standard input; arguments in any locale; variables, marks and ports that are looked at."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from referral_bus.errors import Refused
from referral_bus.home import open_home
from tests.kit.command import NOTHING_LEAVES, PLANTED, Command, Ended, assert_refused
from tests.kit.homes import Agency
from tests.unit.deploy.app.conftest import Federation

UZBEK = "Dushanba kuni qoʻngʻiroq qilamiz. Жума ҳам бўлади."
MARK = b"\xef\xbb\xbf"


def said_by(command: Command, federation: Federation, *options: object) -> Ended:
    return command(federation.recipient, "accept", federation.referral, *options)


def shown(command: Command, federation: Federation) -> str:
    return command(federation.recipient, "show", federation.referral).out


def test_texts_come_from_files_and_standard_input(
    federation: Federation, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_bytes(MARK + UZBEK.encode() + b"\r\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"PH 4411\n")))
    assert said_by(command, federation, "--text-file", tmp_path / "text", "--local-ref-file", "-").code == 0
    view = shown(command, federation)
    assert "qoʻngʻiroq" in view
    assert "PH 4411" in view
    (tmp_path / "number").write_text("PH 4411")
    found = command(federation.recipient, "inbox", "--local-ref-file", tmp_path / "number")
    assert str(federation.referral)[:8] in found.out


def test_an_appointments_place_and_a_reason_come_from_files(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "place").write_text("Room 4, made up")
    said_by(command, federation)
    noted = ("note", federation.referral, "--kind", "appointment-scheduled", "--time", "2099-11-24T10:00+05:00")
    assert command(federation.recipient, *noted, "--place-file", tmp_path / "place").code == 0
    assert "Room 4, made up" in shown(command, federation)
    discard = command(federation.recipient, "dead-letters", "discard", 1, "--reason-file", tmp_path / "place")
    assert_refused(discard, "DEAD_LETTER_UNKNOWN")
    assert_refused(command(federation.recipient, "dead-letters", "discard", 1), "FIELD_MISSING", "--reason")


def test_a_file_of_a_text_that_cannot_be_taken_is_named_by_its_option(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9t\xe9")
    (tmp_path / "long").write_bytes(b"a" * 70_000)
    wrong = {"latin": "VALUE_REFUSED", "long": "TOO_LARGE", PLANTED: "FILE_UNREADABLE", ".": "FILE_UNREADABLE"}
    for name, reason in wrong.items():
        said = said_by(command, federation, "--text-file", tmp_path / name)
        assert_refused(said, reason, "--text-file")
    both = said_by(command, federation, "--text", PLANTED, "--text-file", tmp_path / "latin")
    assert_refused(both, "VALUE_REFUSED", "--text-file")
    assert_refused(
        said_by(command, federation, "--text-file", "-", "--local-ref-file", "-"), "VALUE_REFUSED", "--text-file"
    )


def in_another_locale(*arguments: bytes | str) -> subprocess.CompletedProcess[bytes]:
    """In a locale whose encoding is not UTF-8."""
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "deploy.app", *arguments]
    return subprocess.run(command, capture_output=True, env=ascii_only, timeout=120)


def test_what_is_typed_in_another_locale_arrives_as_typed(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "қоғоз"
    file.write_text("PH 4411")
    said = in_another_locale(
        "accept", str(federation.referral), "--text", UZBEK, "--local-ref-file", str(file), "--home",
        str(federation.recipient.home),
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, NOTHING_LEAVES.encode())
    view = shown(command, federation)
    assert "qoʻngʻiroq" in view
    assert "PH 4411" in view


def test_what_is_no_utf8_is_refused_in_any_locale(federation: Federation) -> None:
    home = str(federation.recipient.home)
    said = in_another_locale("accept", str(federation.referral), "--text", b"\xe9t\xe9", "--home", home)
    assert said.returncode == 2
    assert said.stderr == b"referral-bus: USAGE: an argument is no text in UTF-8\n"


@pytest.mark.parametrize("name", ["REFERRAL_BUS_WEBHOK_URL", "REFERRAL_BUS_HTTP_PORTS", "referral_bus_kafkas"])
def test_a_variable_that_no_setting_has_is_named(
    name: str, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, PLANTED)
    assert_refused(command(federation.recipient, "inbox"), "SETTINGS_INVALID", name)
    monitor = ("monitor", "init", "--federation", "made-up", "--kafka", "127.0.0.1:9092")
    assert_refused(command(Agency(tmp_path / "monitor"), *monitor), "SETTINGS_INVALID", name)


def test_the_monitors_variables_are_its_own(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFERRAL_BUS_MONITOR_KEEP_DAY", "90")
    assert command(federation.recipient, "inbox").code == 0
    monitor = ("monitor", "init", "--federation", "made-up", "--kafka", "127.0.0.1:9092")
    said = command(Agency(tmp_path / "monitor"), *monitor)
    assert_refused(said, "SETTINGS_INVALID", "REFERRAL_BUS_MONITOR_KEEP_DAY")


def test_a_byte_order_mark_in_a_file_of_the_home_is_passed_over(federation: Federation, command: Command) -> None:
    home = federation.recipient.home
    marks = home / "outside-backups"
    marks.mkdir(mode=0o700, exist_ok=True)
    (marks / "high-water.json").write_text('{"incarnation": 1, "audit_count": 0}')
    (marks / "high-water.json").chmod(0o600)
    for name in ("settings.toml", "register.pin.json", "keys/signing.key", "outside-backups/high-water.json"):
        file = home / name
        file.write_bytes(MARK + file.read_bytes())
        said = command(federation.recipient, "inbox")
        assert (said.code, said.err) == (0, ""), name


@pytest.mark.parametrize(
    "address", ["127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:99999999", "127.0.0.1:1,127.0.0.1:70000", "127.0.0.1:٣"]
)
def test_a_port_that_cannot_be_is_refused(
    address: str, federation: Federation, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, more in (("agency", ("--agency", "mahalla")), ("monitor", ())):
        said = command(Agency(tmp_path / kind), kind, "init", *more, "--federation", "made-up", "--kafka", address)
        assert_refused(said, "SETTINGS_INVALID", "--kafka")
    register = open_home(federation.sender.home).registers.file
    assert_refused(command(None, "register", "plan", register, "--kafka", address), "SETTINGS_INVALID", "kafka")
    assert_refused(command(None, "kafka", "start", "--data", tmp_path / "kafka", "--port", 70_000), "USAGE")
    monkeypatch.setenv("REFERRAL_BUS_KAFKA", address)
    with pytest.raises(Refused, match="SETTINGS_INVALID at REFERRAL_BUS_KAFKA"):
        open_home(federation.sender.home).settings()
