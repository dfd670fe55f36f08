"""Two agencies' services as an agency runs them, over a real Kafka."""

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.kafka.local import KafkaPlan, free_port, start, stop
from referral_bus.metrics import AGENCY_METRICS, PREFIX
from referral_bus.wire.avro_codec import decode
from schemas.events import AgencyAnnouncement, ClearRecord, Event, StorageReceipt
from schemas.schema_index import by_fingerprint
from tests.kafka.raw import read_everything
from tests.kafka.services import Process, Services, started
from tests.kit.command import Command
from tests.kit.handlers import handed_over
from tests.kit.homes import RECIPIENT, SENDER, Agency
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, request_document
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka

READY_S, RESIDENT_MB = 3.0, 120.0
"""Of processor time: on an idle machine it is ready after little more."""

PLANTED = (PLANTED_NAME, PLANTED_NEED, "PLANTED-TEXT-7731", "PLANTED-REF-7731", "PLANTED-PLACE-7731")
SEALED_WORDS = ("mhpss", "out-of-area", "partly-provided", "appointment")  # an announcement may name services


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str) -> Iterator[Services]:
    made = Services(tmp_path_factory.mktemp("agencies"), kafka_bootstrap)
    made.make_topics()
    made.recipient.set_to(handler="'tests.kit.handlers:note_down'")
    yield made
    made.end()


@pytest.fixture(scope="module")
def running(services: Services) -> list[Process]:
    return started(services, [services.sender, services.recipient])


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def publish(services: Services, command: Command, folder: Path) -> str:
    file = folder / "referral.json"
    document = request_document(RECIPIENT) | {"local_ref": "PLANTED-REF-7731"}
    file.write_text(json.dumps(document), encoding="utf-8")
    published = command(services.sender, "publish", file, "--json").document
    return str(published[0]["referral_id"])


def ask(process: Process, path: str) -> tuple[int, str]:
    port = process.status().http_port
    assert port is not None
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.usefixtures("running")
def test_a_referral_goes_from_the_command_to_the_handler_and_its_answers_come_back_by_pull(
    services: Services, command: Command, tmp_path: Path
) -> None:
    referral = publish(services, command, tmp_path)

    def history(agency: Agency) -> list[dict[str, Any]]:
        return list(command(agency, "show", referral, "--json").document["history"])

    def stage() -> str:
        return str(command(services.sender, "why", referral, "--json").document["stage"])

    wait_until(lambda: history(services.sender)[0]["state"] == "stored")
    event = history(services.sender)[0]
    assert event["receipted_at"]
    wait_until(lambda: event["event_id"] in handed_over(services.recipient.home))
    wait_until(lambda: stage() == "not-seen")

    appointment = ("--kind", "appointment-scheduled", "--time", "2099-01-01T10:00+05:00", "--place", PLANTED[4])
    moves = (("see",), ("accept", "--text", PLANTED[2]), ("note", *appointment), ("start",))
    for verb, *options in (*moves, ("complete", "--outcome", "partly-provided")):
        assert command(services.recipient, verb, referral, *options).code == 0
    wait_until(lambda: len(history(services.sender)) == 6)

    pulled = command(services.sender, "inbox", "--json").document
    mine = [each for each in pulled["events"] if each["referral_id"] == referral]
    assert [each["status"] for each in mine] == ["received", "accepted", "accepted", "in-progress", "completed"]
    assert mine[1]["body"]["text"] == PLANTED[2]
    wait_until(lambda: {step["state"] for step in history(services.recipient)[1:]} == {"stored"})
    assert handed_over(services.recipient.home).count(event["event_id"]) == 1


def test_readyz_says_that_every_part_is_well(running: list[Process]) -> None:
    for process in running:
        status, body = ask(process, "/readyz")
        assert status == 200
        assert all(json.loads(body).values())
        assert ask(process, "/healthz")[0] == 200


def test_the_metrics_are_those_of_the_table_and_name_nobody(
    services: Services, running: list[Process], command: Command, tmp_path: Path
) -> None:
    referral = publish(services, command, tmp_path)
    for process in running:
        text = ask(process, "/metrics")[1]
        names = {
            f"{family.name}{'_total' * (family.type == 'counter')}" for family in text_string_to_metric_families(text)
        }
        assert names == {PREFIX + rule.name for rule in AGENCY_METRICS}
        assert referral not in text
        assert not [secret for secret in PLANTED if secret in text]


def test_a_service_is_ready_soon_and_small(running: list[Process], services: Services) -> None:
    process = services.start(services.other)
    process.wait_until_ready()
    worked = process.worked_s()
    resident = [each.resident_mb() for each in (*running, process)]
    print(f"ready after {worked:.1f} s of work, resident {', '.join(f'{mb:.0f}' for mb in resident)} MB")  # noqa: T201
    assert worked < READY_S
    assert max(resident) < RESIDENT_MB * 1.25
    assert process.terminate()[0] == 0


def test_a_second_service_on_the_same_home_refuses_and_the_first_goes_on(
    services: Services, running: list[Process]
) -> None:
    second = services.run("agency", "run", "--home", services.sender.home)
    assert second.returncode == 2
    assert second.stderr.startswith("referral-bus: ALREADY_RUNNING at home: ")
    assert second.stderr.count("\n") == 1
    assert running[0].status().ready


@pytest.mark.usefixtures("running")
def test_what_is_on_the_wire_is_in_form_and_shows_nobody(services: Services, command: Command, tmp_path: Path) -> None:
    referral = publish(services, command, tmp_path)
    wait_until(lambda: command(services.sender, "show", referral, "--json").document["history"][0]["state"] == "stored")
    command(services.recipient, "reject", referral, "--reason", "out-of-area", "--text", PLANTED[2])
    wait_until(lambda: command(services.sender, "show", referral, "--json").document["status"] == "rejected")

    records = read_everything(services.kafka, services.topic_prefix)
    for record in records:
        assert_cloud_event(record)
        seen = b"\n".join([record.topic.encode(), record.key, record.value, *dict(record.headers).values()])
        hidden = (*PLANTED, *(SEALED_WORDS if ".inbox." in record.topic else ()))
        assert not [word for word in hidden if word.encode() in seen or word.encode("utf-16-le") in seen]
    kinds = {dict(record.headers)["ce_type"].decode().split(".")[1] for record in records}
    assert kinds == {"ReferralEvent", "StatusEvent", "StorageReceipt", "AgencyAnnouncement"}
    assert {record.topic.split(".")[2] for record in records} >= {SENDER, RECIPIENT}


def assert_cloud_event(record: Any) -> None:
    """CloudEvents in binary mode around one Avro single-object value. Readers of ours believe only the value."""
    value = decode(record.value)
    assert isinstance(value, ClearRecord)
    assert record.value[:2] == b"\xc3\x01"
    assert record.value[2:10] in by_fingerprint()
    headers = {name: content.decode() for name, content in record.headers if name != "rb_signature"}
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == f"referral-bus.{value.record}.v1"
    assert headers["content-type"] == "application/avro"
    assert datetime.fromisoformat(headers["ce_time"]).utcoffset() is not None
    assert (len(dict(record.headers)["rb_signature"]), len(headers["rb_keyid"])) == (64, 32)
    match value:
        case Event():
            expected = (value.writer, str(value.event_id), str(value.referral_id))
        case StorageReceipt():
            expected = (value.writer, str(value.receipt_id), str(value.receipt_id))
        case AgencyAnnouncement():
            expected = (value.agency, f"{value.agency}-{value.incarnation}-{value.counter}", value.agency)
        case _:
            pytest.fail(f"nobody sends a {value.record} here")
    assert (headers["ce_source"], headers["ce_id"], record.key.decode()) == (f"/agencies/{expected[0]}", *expected[1:])


def test_sigterm_ends_a_service_in_time_with_exit_code_0(services: Services, running: list[Process]) -> None:
    process = services.start(services.other)
    process.wait_until_ready()
    code, took = process.terminate()
    assert (code, took < 10) == (0, True)
    assert [event["event"] for event in process.events() if event["event"] in ("started", "stopped")][-2:] == [
        "started",
        "stopped",
    ]
    assert process.events()[-1]["in_time"] is True
    assert not process.status().running
    assert all(each.status().ready for each in running)


def test_logs_are_json_lines_that_name_nobody(running: list[Process]) -> None:
    for process in running:
        assert all({"event", "level", "timestamp", "agency"} <= set(event) for event in process.events())
        text = process.log.read_text()
        assert not [secret for secret in PLANTED if secret in text]


def test_register_plan_and_apply_agree_on_a_live_cluster(tmp_path: Path, kafka_bootstrap: str) -> None:
    made = Services(tmp_path, kafka_bootstrap)
    arguments = (made.register, "--kafka", kafka_bootstrap)
    before = json.loads(made.run("register", "plan", *arguments, "--json").stdout)
    assert {change["change"] for change in before} == {"create"}
    assert json.loads(made.run("register", "apply", *arguments, "--json").stdout) == before
    after = made.run("register", "plan", *arguments, "--json")
    assert (after.returncode, json.loads(after.stdout)) == (0, [])
    assert made.run("register", "apply", *arguments).stdout == "The topics are as the register says.\n"


def test_a_service_that_was_there_before_kafka_becomes_ready_when_it_comes(tmp_path: Path) -> None:
    port = free_port(2)
    plan = KafkaPlan(tmp_path / "kafka", port, port + 1, owner_pid=os.getpid())
    made = Services(tmp_path / "agencies", f"127.0.0.1:{port}")
    try:
        process = made.start(made.sender)
        wait_until(lambda: process.status().parts.get("ledger"))
        assert not process.status().ready
        time.sleep(1)  # it has tried in vain
        start(plan, print)
        made.make_topics()
        wait_until(lambda: process.status().ready)
        assert process.terminate()[0] == 0
    finally:
        made.end()
        stop(plan.data_folder)
