"""The monitor's home folder and its commands."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consumers.monitor.home import CurrentRegister, MonitorHome, accept_register, create_monitor_home, open_monitor_home
from consumers.monitor.progress import save_complete_at
from consumers.monitor.settings import MonitorSettings, load_settings
from deploy.app.commands import monitor
from deploy.app.service.monitor_service import MonitorService, Sources, run_monitor, running_monitor
from deploy.app.service.service_status import ServiceStatus
from deploy.demo.federation import GeneratedFederation, SignedRegister
from deploy.provision.topics import wanted_topics
from referral_bus.broker.lag import MemoryLag
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from referral_bus.errors import BusError, Refused
from referral_bus.federation.register import Register, read_register, render_register
from referral_bus.federation.trust import parse_signatures, render_signatures, sign_register
from referral_bus.logs import make_log
from referral_bus.wire.record import write
from schemas.events import RegisterVersion
from tests.kit.bench import LogLines
from tests.kit.made_once import federation
from tests.kit.waiting import wait_until

CODES = ("family-women", "public-health")
NOW = system_clock().replace(microsecond=0)
ARGUMENTS = ("--federation", "test-federation", "--kafka", "127.0.0.1:9092")


def call(*arguments: str) -> int:
    """Runs a command of `monitor`; failures come out as they are."""
    app = typer.Typer()
    app.callback()(lambda: None)
    monitor.add_to(app)
    result = app(["monitor", *arguments], standalone_mode=False)
    return result if isinstance(result, int) else 0


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, str]:
    """The register, the signatures, and the SHA-256 that the stewards tell."""
    generated, register = federation(CODES, NOW)
    (tmp_path / "register.yaml").write_bytes(generated.files.register)
    (tmp_path / "signatures.yaml").write_bytes(generated.files.signatures)
    return tmp_path / "register.yaml", tmp_path / "signatures.yaml", register.sha256


@pytest.fixture
def home(tmp_path: Path, files: tuple[Path, Path, str]) -> MonitorHome:
    """Made, with a register."""
    register, signatures, sha256 = files
    call("init", "--home", str(tmp_path / "home"), *ARGUMENTS)
    call("accept", str(register), str(signatures), "--home", str(tmp_path / "home"), "--sha256", sha256)
    return MonitorHome(tmp_path / "home")


def test_a_home_is_for_its_owner_only_and_holds_no_key(home: MonitorHome) -> None:
    home.open_store("test-federation", NOW).close()

    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (home.folder, *home.folder.iterdir()))
    assert not [path for path in home.folder.rglob("*") if "key" in path.name]
    assert home.register(NOW).federation == "test-federation"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("")

    with pytest.raises(Refused, match="not empty"):
        call("init", "--home", str(tmp_path), *ARGUMENTS)


def test_settings_of_a_wrong_form_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--kafka"):
        call("init", "--home", str(tmp_path / "home"), "--federation", "test-federation", "--kafka", "nowhere")
    assert not (tmp_path / "home").exists()


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    settings = MonitorSettings(federation="f", kafka="127.0.0.1:1,[::1]:2", http_port=0, look_every_s=1.5, keep_days=30)

    assert load_settings(create_monitor_home(tmp_path / "home", settings).folder) == settings


def test_a_misspelt_setting_is_an_error(home: MonitorHome) -> None:
    with (home.folder / "settings.toml").open("a") as file:
        file.write("kep_days = 3\n")

    with pytest.raises(Refused, match="kep_days"):
        home.settings()


def test_the_first_register_needs_what_the_stewards_tell(tmp_path: Path, files: tuple[Path, Path, str]) -> None:
    register, signatures, sha256 = files
    call("init", "--home", str(tmp_path / "home"), *ARGUMENTS)

    for wrong in ((), ("--sha256", sha256[::-1])):
        with pytest.raises(Refused, match="sha256"):
            call("accept", str(register), str(signatures), "--home", str(tmp_path / "home"), *wrong)
    with pytest.raises(Refused, match="monitor accept"):
        call("run", "--home", str(tmp_path / "home"))


def test_a_register_that_somebody_changed_is_refused(home: MonitorHome, files: tuple[Path, Path, str]) -> None:
    register, signatures, _ = files
    register.write_bytes(register.read_bytes() + b"\n")

    with pytest.raises(Refused, match="REGISTER_UNSIGNED"):
        call("accept", str(register), str(signatures), "--home", str(home.folder))


def test_another_federations_register_is_refused(tmp_path: Path, files: tuple[Path, Path, str]) -> None:
    register, signatures, sha256 = files
    folder = str(tmp_path / "home")
    call("init", "--home", folder, "--federation", "elsewhere", "--kafka", "127.0.0.1:9092")

    with pytest.raises(Refused, match="another federation"):
        call("accept", str(register), str(signatures), "--home", folder, "--sha256", sha256)


def test_a_home_that_others_can_read_is_refused(home: MonitorHome) -> None:
    (home.folder / "settings.toml").chmod(0o640)

    with pytest.raises(Refused, match=r"HOME_READABLE_BY_OTHERS at settings\.toml"):
        call("status", "--home", str(home.folder))


def test_an_agencys_home_is_no_monitors(home: MonitorHome) -> None:
    (home.folder / "keys").mkdir()

    with pytest.raises(Refused, match="no monitor's home"):
        open_monitor_home(home.folder)


def test_one_monitor_runs_on_a_home(home: MonitorHome) -> None:
    with running_monitor(home), pytest.raises(Refused, match="this monitor is running already"):
        run_monitor(home, lambda _: pytest.fail("the other one's files were opened"), make_log(LogLines()))


def test_status_of_a_monitor_that_never_ran_is_old(home: MonitorHome, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("status", "--home", str(home.folder)) == 3
    assert "NOT RUNNING" in capsys.readouterr().out


@pytest.mark.parametrize(("answers", "code"), [(True, 0), (False, 3)])
def test_status_ends_with_3_when_kafka_does_not_answer_the_running_monitor(
    answers: bool, code: int, home: MonitorHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = ServiceStatus(running=True, http_port=1, parts={"broker": answers})
    monkeypatch.setattr("deploy.app.service.service_status.read_status", lambda _: running)
    store = home.open_store(home.settings().federation, system_clock())
    with store.write() as tx:
        save_complete_at(tx, system_clock())
    store.close()

    assert call("status", "--home", str(home.folder)) == code
    assert ("KAFKA DOES NOT ANSWER" in capsys.readouterr().out) is not answers


def test_status_needs_a_home() -> None:
    with pytest.raises(BusError, match="monitor init"):
        call("status", "--home", "/nonexistent")


def test_a_register_that_is_accepted_meanwhile_is_taken_and_a_broken_one_is_not(home: MonitorHome) -> None:
    current = CurrentRegister(home, lambda: NOW, make_log(LogLines()))
    generated, first = federation(CODES, NOW)
    second = next_version(generated)

    accept_register(home, second.register, second.signatures, NOW, None)
    current.refresh()
    assert current().version == first.version + 1

    home.registers.file.write_bytes(generated.files.register)
    home.registers.pin.touch()
    current.refresh()
    assert current().version == first.version + 1


def test_a_register_that_the_stewards_publish_is_taken_by_a_running_monitor(home: MonitorHome) -> None:
    generated, register = federation(CODES, NOW)
    broker, log = MemoryBroker(system_clock), LogLines()
    for plan in wanted_topics(register):
        broker.create_topic(plan)
    service = MonitorService(home, Sources(broker, MemoryLag(broker)), make_log(log))
    service.start()
    try:
        for files in (_by(generated, 1), _by(generated, 2)):
            publish(broker, register, files, next(iter(generated.steward_keys.values())))
        wait_until(lambda: service.register().version == register.version + 1)
        wait_until(lambda: all(service.ready().values()))
    finally:
        assert service.close()
    assert "register_refused" in log.text
    assert home.register(NOW).version == register.version + 1


def publish(broker: MemoryBroker, register: Register, files: SignedRegister, steward: Ed25519PrivateKey) -> None:
    version = RegisterVersion(
        version=register.version + 1,
        issued_at=NOW,
        register_file=files.register,
        signatures=parse_signatures(files.signatures),
    )
    broker.sender().send(write(version, register.register_topic, register.federation, steward))


def next_version(generated: GeneratedFederation) -> SignedRegister:
    return _by(generated, 2)


def _by(generated: GeneratedFederation, stewards: int) -> SignedRegister:
    """The next version, signed by so many of the two that it takes."""
    content = read_register(generated.files.register).content
    data = render_register(content.model_copy(update={"version": content.version + 1}))
    keys = list(generated.steward_keys.values())[:stewards]
    return SignedRegister(data, render_signatures([sign_register(data, key) for key in keys]))


def test_the_monitor_takes_a_register_by_its_hash_wherever_one_is_given(
    home: MonitorHome, files: tuple[Path, Path, str]
) -> None:
    register, signatures, sha256 = map(str, files)
    for wrong, reason in (("abc", "VALUE_REFUSED"), ("0" * 64, "REGISTER_UNSIGNED")):
        with pytest.raises(Refused, match=f"{reason} at sha256"):
            call("accept", register, signatures, "--home", str(home.folder), "--sha256", wrong)
    call("accept", register, signatures, "--home", str(home.folder), "--sha256", sha256)


def test_a_kafka_elsewhere_is_refused_before_a_home_is_made(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="NOT_LOOPBACK at --kafka"):
        call("init", "--home", str(tmp_path / "home"), "--federation", "test-federation", "--kafka", "kafka:9092")
    assert not (tmp_path / "home").exists()
