"""`register keygen`, `sign`, `publish`: what stewards do, and what is refused to them."""

from pathlib import Path

import pytest

from deploy.demo.federation import example_template
from deploy.provision.register_topic import MOST_SIGNATURES, as_record
from deploy.provision.topics import wanted_topics
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import parse_register, render_register
from referral_bus.home import known_services
from schemas.events import StewardSignature
from tests.kit.command import PLANTED, Command, Ended, assert_one_line, assert_refused
from tests.kit.homes import DEAD_KAFKA, Agency
from tests.unit.deploy.app.conftest import Federation

TWO_OF_TWO = """stewards:
  threshold: 2
  keys:
  - {{name: steward 1, public_key: {}}}
  - {{name: steward 2, public_key: {}}}
"""


@pytest.fixture
def keys(command: Command, tmp_path: Path) -> list[Path]:
    """Three stewards' keys; the register lists the first two."""
    paths = [tmp_path / f"steward-{number}.key" for number in (1, 2, 3)]
    for path in paths:
        assert command(None, "register", "keygen", path).code == 0
    return paths


@pytest.fixture
def register(command: Command, keys: list[Path], tmp_path: Path) -> Path:
    public = []
    for key in keys[:2]:
        (key.parent / f"{key.name}.copy").write_bytes(key.read_bytes())
        key.unlink()
        public.append(command(None, "register", "keygen", key).out.split()[1])
    stewards = "stewards:\n  threshold: 2\n  keys: []\n"
    template = example_template().decode()
    assert stewards in template
    file = tmp_path / "register.yaml"
    file.write_text(template.replace(stewards, TWO_OF_TWO.format(*public)), encoding="utf-8")
    return file


def test_a_key_is_made_once_and_for_its_owner_only(command: Command, tmp_path: Path) -> None:
    key = tmp_path / PLANTED
    said = command(None, "register", "keygen", key)
    assert said.out.startswith("public_key: ")
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    for path in (key, tmp_path / "missing" / PLANTED, tmp_path, Path(f"/{PLANTED * 1000}")):
        assert_refused(command(None, "register", "keygen", path), "FILE_UNREADABLE", "KEY")
    assert key.read_bytes() == before


def test_signatures_are_gathered_until_an_agency_takes_the_register(
    register: Path, keys: list[Path], command: Command, tmp_path: Path
) -> None:
    signatures = tmp_path / "register.signatures.yaml"
    for key, count in ((keys[0], 1), (keys[0], 1), (keys[1], 2)):
        said = command(None, "register", "sign", register, signatures, "--key", key)
        assert (said.code, said.out) == (0, f"{count} of 2 signatures\n")
    home = Agency(tmp_path / "home")
    options = ("--agency", "mahalla", "--federation", "example-federation", "--kafka", DEAD_KAFKA)
    assert command(home, "agency", "init", *options).code == 0
    assert_refused(command(home, "register", "accept", register, signatures), "REGISTER_UNSIGNED", "sha256")


def test_who_is_no_steward_signs_nothing(
    register: Path, keys: list[Path], command: Command, federation: Federation, tmp_path: Path
) -> None:
    signatures = tmp_path / PLANTED
    sign = ("register", "sign", register, signatures, "--key")
    assert_refused(command(None, *sign, keys[2]), "REGISTER_UNSIGNED", "--key")
    for key in (tmp_path / f"{PLANTED}.key", register, federation.sender.home / "register.pin.json", tmp_path):
        assert_refused(command(None, *sign, key), "FILE_UNREADABLE", "--key")
    assert not signatures.exists()


def test_signatures_that_cannot_be_read_or_written_are_named(
    register: Path, keys: list[Path], command: Command, tmp_path: Path
) -> None:
    (tmp_path / "damaged").write_text(PLANTED)
    assert_refused(
        command(None, "register", "sign", register, tmp_path / "damaged", "--key", keys[0]), "REGISTER_UNSIGNED"
    )
    for path in (tmp_path, tmp_path / "missing" / PLANTED):
        said = command(None, "register", "sign", register, path, "--key", keys[0])
        assert_refused(said, "FILE_UNREADABLE", "SIGNATURES")


def test_a_register_is_published_with_enough_signatures_only(
    register: Path, keys: list[Path], command: Command, tmp_path: Path
) -> None:
    signatures = tmp_path / "register.signatures.yaml"
    assert command(None, "register", "sign", register, signatures, "--key", keys[0]).code == 0
    options = ("--kafka", DEAD_KAFKA, "--key", keys[0])
    publish = ("register", "publish", register, signatures, *options)
    assert_refused(command(None, *publish), "REGISTER_UNSIGNED", "SIGNATURES")
    assert_refused(
        command(None, "register", "publish", register, tmp_path / PLANTED, *options), "FILE_UNREADABLE", "SIGNATURES"
    )


def test_a_register_is_published_to_a_kafka_that_is_there(
    register: Path, keys: list[Path], command: Command, tmp_path: Path
) -> None:
    signatures = tmp_path / "register.signatures.yaml"
    for key in keys[:2]:
        assert command(None, "register", "sign", register, signatures, "--key", key).code == 0
    said = command(None, "register", "publish", register, signatures, "--kafka", DEAD_KAFKA, "--key", keys[0])
    assert_one_line(said)
    assert said.code == 3


def test_what_a_version_cuts_off_is_a_warning_for_people_and_a_field_for_programs(
    register: Path, keys: list[Path], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, first = MemoryBroker(system_clock), parse_register(register.read_bytes(), known_services())
    monkeypatch.setattr(broker, "close", lambda: None)
    monkeypatch.setattr("referral_bus.broker.kafka.KafkaBroker", lambda *_: broker)
    for plan in wanted_topics(first):
        broker.create_topic(plan)

    def publish(version: int, *options: str) -> Ended:
        content = first.content.model_copy(
            update={"version": version, "agreements": first.content.agreements[:-version]}
        )
        register.write_bytes(render_register(content))
        signatures = tmp_path / f"{version}.signatures.yaml"
        for key in keys[:2]:
            assert command(None, "register", "sign", register, signatures, "--key", key).code == 0
        at = ("--kafka", DEAD_KAFKA, "--key", keys[0])
        return command(None, "register", "publish", register, signatures, *at, *options)

    assert publish(1, "--json").document == {"version": 1, "cuts_off": []}
    [cut] = publish(2, "--json").document["cuts_off"]
    assert "is not listed any more" in cut
    assert publish(3).err.startswith("referral-bus: warning: the agreement from ")


def test_a_register_that_no_record_can_carry_is_not_signed(
    register: Path, keys: list[Path], command: Command, tmp_path: Path
) -> None:
    """Or it would be published by nobody, after all have signed."""
    signatures = tmp_path / "register.signatures.yaml"
    register.write_text(register.read_text() + "#" + "x" * 60 * 1024 + "\n")
    said = command(None, "register", "sign", register, signatures, "--key", keys[0])
    assert_refused(said, "TOO_LARGE", "REGISTER")
    assert not signatures.exists()
    options = ("--kafka", DEAD_KAFKA, "--key", keys[0])
    signatures.write_text("signatures: []\n")
    assert command(None, "register", "publish", register, signatures, *options).code == 2


def test_a_register_and_its_signatures_are_bounded_together(register: Path) -> None:
    data = register.read_bytes()
    data += b"#" + b"x" * (60 * 1024 - len(data) - 1)
    signature = StewardSignature(key_id="a" * 32, signature=bytes(64))
    parsed = parse_register(data, known_services())
    assert as_record(parsed, data, [signature] * 20).register_file == data
    for many in (MOST_SIGNATURES, MOST_SIGNATURES + 1):
        with pytest.raises(Refused) as refused:
            as_record(parsed, data, [signature] * many)
        assert refused.value.reason is Reason.TOO_LARGE
