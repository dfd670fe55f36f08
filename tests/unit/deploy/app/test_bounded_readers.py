"""Whatever stands in a file that we read: deep brackets and long files end in one clear line, or are passed over."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.monitor.home import create_monitor_home
from consumers.monitor.settings import MonitorSettings
from consumers.monitor.settings import load_settings as load_monitor_settings
from deploy.app.agency_client import open_client
from deploy.app.service.service_status import ServiceStatus, read_status, service_pid, write_status
from deploy.kafka.folder import MARKER
from deploy.kafka.plan import node_folder
from deploy.kafka.ports import REMEMBERED, plan_as_before
from deploy.kafka.state import RECORD, started_nodes
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.keyring import read_key
from referral_bus.federation.pin import load_pin
from referral_bus.federation.trust import parse_signatures
from referral_bus.home import Home, running
from referral_bus.rollback_guard import RollbackGuard
from referral_bus.settings import load_settings
from schemas.bounded_toml import MAX_BYTES
from tests.kit.command import Command, assert_one_line, assert_refused
from tests.unit.deploy.app.conftest import Federation
from tests.unit.deploy.app.test_service_status import another_server, serving

MIB = 1024 * 1024
JSON = {
    "deep": b"[" * 60_000,
    "closed": b"[" * 2000 + b"]" * 2000 + b"\n",
    "objects": b'{"a":' * 10_000,
    "brackets": b"[" * MIB,
    "flat": b"[" + b"1," * (MIB // 2) + b"1]\n",
}
TOML = {
    "arrays": b"kafka = " + b"[" * 20_000,
    "tables": b"kafka = " + b"{a=" * 9000,
    "brackets": b"[" * MIB,
    "long": b"# " + b"a" * MAX_BYTES,
}

Read = Callable[[Path], object]
READERS: dict[str, Read] = {
    "pin": load_pin,
    "high-water.json": lambda path: RollbackGuard(path.parent).high_water(),
    "heard.json": lambda path: RollbackGuard(path.parent).mark(),
    "tombstones.jsonl": lambda path: RollbackGuard(path.parent).journal(),
    "key": read_key,
}

each_json = pytest.mark.parametrize("content", JSON.values(), ids=JSON)
each_toml = pytest.mark.parametrize("content", TOML.values(), ids=TOML)


def refusal_of(read: Callable[[], object]) -> BusError:
    with pytest.raises(BusError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return caught.value


@each_json
@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_home_that_is_nested_deep_or_long_is_said_to_be_damaged(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    refused = refusal_of(lambda: READERS[name](tmp_path / name))
    assert refused.reason is Reason.HOME_INVALID
    assert "damaged" in str(refused)


@each_toml
@pytest.mark.parametrize("load", [load_settings, load_monitor_settings])
def test_settings_that_are_nested_deep_or_long_are_refused(
    load: Callable[[Path], object], content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    refused = refusal_of(lambda: load(tmp_path))
    assert (refused.reason, refused.path) == (Reason.SETTINGS_INVALID, "settings.toml")


@each_json
def test_signatures_that_are_nested_deep_or_long_are_refused(content: bytes) -> None:
    assert isinstance(refusal_of(lambda: parse_signatures(content)), Refused)


@each_json
def test_commands_end_with_one_line_and_exit_code_2(
    content: bytes, federation: Federation, command: Command, tmp_path: Path
) -> None:
    schema, kafka = tmp_path / "Deep.v1.avsc", tmp_path / "kafka"
    schema.write_bytes(content)
    kafka.mkdir()
    (kafka / MARKER).write_bytes(content)
    pin = federation.sender.home / "register.pin.json"
    pin.write_bytes(content)
    for said in (
        command(None, "schemas", "check", schema, schema),
        command(None, "schemas", "diff", schema, schema),
        command(None, "kafka", "status", "--data", kafka),
        command(federation.sender, "todo"),
    ):
        assert_one_line(said)
        assert said.code == 2
        assert "USAGE" not in said.err
    linted = command(None, "register", "lint", schema)
    assert (linted.code, linted.err, linted.out.count("\n")) == (2, "", 1)


@each_toml
def test_a_home_with_such_settings_is_refused_in_one_line(
    content: bytes, federation: Federation, command: Command, tmp_path: Path
) -> None:
    (federation.sender.home / "settings.toml").write_bytes(content)
    assert_refused(command(federation.sender, "todo"), "SETTINGS_INVALID", "settings.toml")
    monitor = tmp_path / "monitor"
    create_monitor_home(monitor, MonitorSettings(federation="test-federation", kafka="127.0.0.1:9092"))
    (monitor / "settings.toml").write_bytes(content)
    assert_refused(command(None, "monitor", "status", "--home", monitor), "SETTINGS_INVALID", "settings.toml")


@each_json
def test_what_says_where_a_service_or_a_kafka_runs_is_passed_over(
    content: bytes, federation: Federation, tmp_path: Path
) -> None:
    home = Home(federation.sender.home)
    (home.folder / "run.json").write_bytes(content)
    with running(home):
        assert read_status(home) == ServiceStatus(running=True, http_port=None, parts={})
        assert service_pid(home) is None
    (tmp_path / REMEMBERED).write_bytes(content)
    (tmp_path / MARKER).write_text('{"version": "0", "cluster_id": "a", "brokers": 1}')
    plan = plan_as_before(tmp_path, None, None, None, 1)
    assert plan.port == plan_as_before(tmp_path / "new", None, None, None, 1).port
    node_folder(tmp_path, 1).mkdir(parents=True)
    (node_folder(tmp_path, 1) / RECORD).write_bytes(content)
    assert started_nodes(tmp_path, 1) == ()


@each_json
def test_an_answer_at_the_port_of_our_service_is_bounded(content: bytes, federation: Federation) -> None:
    home = Home(federation.sender.home)
    with running(home), serving(another_server(200, content)) as port:
        write_status(home, port)
        assert read_status(home) == ServiceStatus(True, port, {})


def test_a_journal_that_ends_in_a_line_longer_than_any_is_left_as_it_is(federation: Federation) -> None:
    client = open_client(federation.sender.home)
    journal = client.rollback_guard.folder / "tombstones.jsonl"
    journal.parent.mkdir(exist_ok=True)
    journal.write_bytes(JSON["brackets"])
    try:
        assert refusal_of(lambda: client.rollback_guard.keep_up(client.ledger)).reason is Reason.HOME_INVALID
    finally:
        client.close()
    assert journal.read_bytes() == JSON["brackets"]


@pytest.mark.parametrize("pid", ["0", "-1", "true", '"7"', "1"])
def test_a_process_that_would_mean_many_is_none(pid: str, federation: Federation) -> None:
    home = Home(federation.sender.home)
    (home.folder / "run.json").write_text(f'{{"pid": {pid}, "http_port": 1}}')
    assert service_pid(home) is None


@pytest.mark.parametrize("character", ["\u202e", "\ufeff", "\u200b", "\x07"])
def test_a_character_that_cannot_be_seen_in_a_setting_is_named_by_its_code_point(
    character: str, federation: Federation, command: Command
) -> None:
    settings = federation.sender.home / "settings.toml"
    escaped = f"\\u{ord(character):04x}"
    settings.write_text(settings.read_text("utf-8").replace('agency = "', f'agency = "{escaped}'), "utf-8")
    said = command(federation.sender, "todo")
    assert_refused(said, "SETTINGS_INVALID", "agency")
    assert f"U+{ord(character):04X}" in said.err
