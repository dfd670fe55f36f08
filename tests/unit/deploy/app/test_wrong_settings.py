"""A setting that is wrong is named as it was given, with what is accepted there."""

from pathlib import Path

import pytest

from consumers.monitor.settings import MonitorSettings
from referral_bus.setting_forms import form_of_setting
from referral_bus.settings import Settings
from tests.kit.command import PLANTED, Command, assert_refused
from tests.kit.homes import Agency
from tests.unit.deploy.app.conftest import Federation


def test_every_setting_says_what_it_takes() -> None:
    for model in (Settings, MonitorSettings):
        assert all(form_of_setting(model, name) for name in model.model_fields)
    assert form_of_setting(Settings, "http_port") == "a whole number from 0 to 65535"
    assert form_of_setting(Settings, "webhook_timeout_s") == "a number above 0 and up to 60"


@pytest.mark.parametrize("value", [PLANTED, "-1", "65536", ""])
def test_a_wrong_variable_is_named_itself(
    value: str, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFERRAL_BUS_HTTP_PORT", value)
    said = command(federation.sender, "inbox")
    assert_refused(said, "SETTINGS_INVALID", "REFERRAL_BUS_HTTP_PORT")
    assert said.err.endswith("is not of the form it must have; accepted: a whole number from 0 to 65535\n")


def test_a_wrong_setting_of_the_file_keeps_its_own_name(federation: Federation, command: Command) -> None:
    federation.sender.set_to(handover_workers="0")
    assert_refused(command(federation.sender, "inbox"), "SETTINGS_INVALID", "handover_workers")


def test_a_missing_setting_is_said_to_be_missing(federation: Federation, command: Command) -> None:
    file = federation.sender.home / "settings.toml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("kafka")), encoding="utf-8")
    said = command(federation.sender, "inbox")
    assert_refused(said, "SETTINGS_INVALID", "kafka")
    assert "this setting is missing; accepted: host:port" in said.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("REFERRAL_BUS_HTTP_PROT", "is REFERRAL_BUS_HTTP_PORT meant?"),
        ("REFERRAL_BUS_ZZ", "see the settings in docs/integrate.md"),
    ],
)
def test_a_misspelt_variable_is_told_the_nearest_name_or_where_all_are(
    name: str, says: str, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, PLANTED)
    said = command(federation.sender, "inbox")
    assert_refused(said, "SETTINGS_INVALID", name)
    assert says in said.err


def test_a_kafka_elsewhere_is_refused_at_init_and_by_every_command(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = ("--agency", "mahalla", "--federation", "made-up", "--kafka", f"{PLANTED}.example:9092")
    said = command(Agency(tmp_path / "new"), "agency", "init", *options)
    assert_refused(said, "NOT_LOOPBACK", "--kafka")
    assert "use one on this machine, until TLS is built" in said.err
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv("REFERRAL_BUS_KAFKA", f"127.0.0.1:9092,{PLANTED}.example:9092")
    assert_refused(command(federation.sender, "inbox"), "NOT_LOOPBACK", "REFERRAL_BUS_KAFKA")


def test_a_home_that_is_not_named_can_be_given_by_its_variable(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFERRAL_BUS_HOME", raising=False)
    said = command(None, "inbox")
    assert said.err == "referral-bus: USAGE: --home is missing; give it, or set REFERRAL_BUS_HOME; see --help\n"
