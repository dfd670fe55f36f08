import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.kafka.folder import MARKER, claimed, read_marker
from deploy.kafka.jars import KAFKA_VERSION
from deploy.kafka.plan import KafkaPlan
from referral_bus.errors import Reason, Refused


def claim(folder: Path, brokers: int = 1) -> str:
    with claimed(KafkaPlan(folder, brokers=brokers)) as marker:
        return marker.cluster_id


def refusal(folder: Path, brokers: int = 1) -> str:
    with pytest.raises(Refused) as refused:
        claim(folder, brokers)
    assert refused.value.reason is Reason.DATA_FOLDER_INVALID
    return refused.value.advice


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where others can come, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """Root may write everywhere, so root becomes nobody for a while."""
    folder.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
        folder.chmod(0o755)


def test_a_new_folder_is_ours_from_then_on(tmp_path: Path) -> None:
    assert claim(tmp_path / "deep" / "new") == claim(tmp_path / "deep" / "new")


def test_a_folder_with_foreign_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()

    assert "holds something else" in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_of_another_kafka_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(json.dumps({"version": "3.9.0", "cluster_id": "x", "brokers": 1}))

    assert f"is of Kafka 3.9.0, this is {KAFKA_VERSION}" in refusal(tmp_path)


def test_a_folder_made_for_another_number_of_brokers_is_refused(tmp_path: Path) -> None:
    claim(tmp_path)

    assert "made for 1 broker" in refusal(tmp_path, brokers=3)


@pytest.mark.parametrize("marker", ["", "[]", '{"version": 1}', "\x00"])
def test_a_marker_that_is_not_ours_is_refused(marker: str, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(marker)

    assert "not ours" in refusal(tmp_path)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be written" in refusal(tmp_path / "file")
    assert "cannot be written" in refusal(tmp_path / "file" / "below")


def test_a_folder_that_cannot_be_written_is_refused(folder: Path) -> None:
    with not_writable(folder):
        assert "cannot be written" in refusal(folder)
        assert "cannot be written" in refusal(folder / "below")


def test_a_folder_of_ours_that_can_no_longer_be_written_is_refused(folder: Path) -> None:
    claim(folder)

    with not_writable(folder):
        assert "cannot be written" in refusal(folder)


def test_a_start_that_was_killed_while_it_marked_the_folder_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / f".{MARKER}.part").write_text("{")

    assert claim(tmp_path)


def test_nothing_and_an_empty_folder_are_nobody_s(tmp_path: Path) -> None:
    assert read_marker(tmp_path) is None
    assert read_marker(tmp_path / "missing") is None
