"""What `start` and `stop` do when something is wrong, shown with a stand-in for Java."""

import json
import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from deploy.kafka.folder import MARKER, claimed, write_whole
from deploy.kafka.local import KafkaPlan, StoppedKafka, free_port, start, status, stop
from deploy.kafka.process import identify, spawn
from deploy.kafka.state import RECORD
from referral_bus.errors import BusError, Reason, Refused, Unreachable

Provide = Callable[[str, str], None]

JAVA = """case "$*" in
-version) echo 'openjdk version "17.0.1"';;
*StorageTool*) /bin/mkdir data; : >data/meta.properties;;
*) {broker};;
esac"""


def plan(folder: Path, **other: int) -> KafkaPlan:
    port = free_port(2)
    return KafkaPlan(folder / "kafka", port, port + 1, ready_within_s=0.5, **other)


def failure(plan: KafkaPlan) -> BusError:
    with pytest.raises(BusError) as failed:
        start(plan, lambda _: None, lambda _: plan.data_folder)
    return failed.value


@pytest.mark.parametrize("which", [0, 1], ids=["clients", "controller"])
def test_a_port_that_is_taken_is_named_before_anything_starts(which: int, tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.format(broker="exit 1"))
    wanted = plan(tmp_path)
    with socket.create_server(("127.0.0.1", wanted.port + which)):
        failed = failure(wanted)

    assert failed.reason is Reason.PORT_TAKEN
    assert f"Port {wanted.port + which} is taken" in failed.advice
    assert not (wanted.data_folder / "node-1").exists()


def test_too_little_space_is_said_before_anything_starts(tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.format(broker="exit 1"))
    wanted = plan(tmp_path, min_free_mb=10**9)

    failed = failure(wanted)

    assert failed.reason is Reason.DISK_FULL
    assert "1000000000 MB" in failed.advice
    assert not (wanted.data_folder / "node-1").exists()


def test_no_java_is_said_before_any_jar_is_fetched(tmp_path: Path, provide: Provide) -> None:
    provide("other", "")

    with pytest.raises(Refused) as refused:
        start(plan(tmp_path), lambda _: None, lambda _: pytest.fail("fetched"))

    assert refused.value.reason is Reason.JAVA_MISSING


@pytest.mark.parametrize(
    ("says", "kind", "reason", "advice"),
    [
        ("java.io.IOException: No space left on device", Refused, Reason.DISK_FULL, "disk is full"),
        ("java.net.BindException: Address already in use", Refused, Reason.PORT_TAKEN, "is taken"),
        ("java.lang.OutOfMemoryError: Java heap space", Unreachable, Reason.KAFKA_FAILED, "more heap"),
        ("Failed to acquire lock on file .lock", Refused, Reason.DATA_FOLDER_INVALID, "Another Kafka"),
        ("a.b.ConfigException: bad", Unreachable, Reason.KAFKA_FAILED, "a.b.ConfigException: bad"),
        ("now ERROR odd", Unreachable, Reason.KAFKA_FAILED, "now ERROR odd"),
    ],
)
def test_a_broker_that_ends_early_gives_its_reason(
    says: str, kind: type[BusError], reason: Reason, advice: str, tmp_path: Path, provide: Provide
) -> None:
    provide("java", JAVA.format(broker=f"echo '{says}'; exit 1"))
    wanted = plan(tmp_path)

    failed = failure(wanted)

    assert (type(failed), failed.reason) == (kind, reason)
    assert advice in failed.advice
    assert status(wanted.data_folder) == StoppedKafka(wanted.data_folder, "4.3.1", None)


def test_a_disk_that_becomes_full_while_storage_is_formatted_is_said(tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.replace("/bin/mkdir data;", "echo No space left on device; exit 1;").format(broker=":"))

    assert failure(plan(tmp_path)).reason is Reason.DISK_FULL


def test_a_cluster_id_that_begins_with_a_hyphen_is_not_taken_for_an_option(tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.replace("/bin/mkdir data;", 'echo "$*" >said; /bin/mkdir data;').format(broker="exit 1"))
    wanted = plan(tmp_path)
    with claimed(wanted) as marker:
        write_whole(wanted.data_folder / MARKER, json.dumps({**asdict(marker), "cluster_id": "-Y4fTy_0TYikcZPXtEXkSA"}))

    failure(wanted)

    assert " --cluster-id=-Y4fTy_0TYikcZPXtEXkSA " in (wanted.data_folder / "node-1" / "said").read_text()


def test_a_broker_that_does_not_serve_in_time_is_not_left_running(tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.format(broker="echo $$ >broker.pid; exec /bin/sleep 60"))
    wanted = plan(tmp_path)

    failed = failure(wanted)

    assert failed.reason is Reason.KAFKA_FAILED
    assert "did not serve within" in failed.advice
    assert identify(int((wanted.data_folder / "node-1" / "broker.pid").read_text())) is None


def test_stop_and_status_never_take_somebody_else_s_process_for_kafka(tmp_path: Path, provide: Provide) -> None:
    provide("java", JAVA.format(broker="exit 1"))
    wanted = plan(tmp_path)
    failure(wanted)
    pid = spawn(["/bin/sleep", "60"], tmp_path, "log")
    somebody = identify(pid)
    record = {"pid": pid, "started": "before", "port": 1, "controller_port": 2, "since": "2026-01-01T00:00:00+00:00"}
    (wanted.data_folder / "node-1" / RECORD).write_text(json.dumps(record))

    state = status(wanted.data_folder)
    stopped = stop(wanted.data_folder)

    assert isinstance(state, StoppedKafka)
    assert state.ended is not None
    assert not stopped
    assert identify(pid) == somebody


def test_stopping_what_was_never_started_is_no_error(tmp_path: Path) -> None:
    assert not stop(tmp_path)
    assert not stop(tmp_path / "missing")


def test_a_folder_that_is_not_ours_is_neither_stopped_nor_judged(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()

    for ask in (stop, status):
        with pytest.raises(Refused) as refused:
            ask(tmp_path)
        assert refused.value.reason is Reason.DATA_FOLDER_INVALID
