"""A local Kafka starts again where it was."""

from pathlib import Path

import pytest

from deploy.kafka.folder import claimed
from deploy.kafka.plan import KafkaPlan
from deploy.kafka.ports import REMEMBERED, plan_as_before, remember_ports
from referral_bus.errors import Refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = KafkaPlan(tmp_path / "kafka", 20_111, 20_222)
    with claimed(plan):
        remember_ports(plan)
    return plan.data_folder


def plan(folder: Path, port: int | None = None, brokers: int | None = None) -> tuple[int, int, int]:
    made = plan_as_before(folder, port, None, brokers, 300)
    return made.port, made.controller_port, made.brokers


def test_the_ports_are_those_of_the_last_start(folder: Path) -> None:
    assert plan(folder) == (20_111, 20_222, 1)


def test_a_port_that_is_named_counts(folder: Path) -> None:
    assert plan(folder, port=20_333) == (20_333, 20_222, 1)


def test_a_new_folder_has_the_usual_ports(tmp_path: Path) -> None:
    assert plan(tmp_path / "new") == (9092, 19092, 1)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": "x"}', '{"port": true, "controller_port": null}'])
def test_a_damaged_memory_is_none(content: str, folder: Path) -> None:
    (folder / REMEMBERED).write_text(content)
    assert plan(folder) == (9092, 19092, 1)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused):
        plan(tmp_path)
