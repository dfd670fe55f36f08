"""What Kafka itself does not take: each side is told the true reason, the recipient is never named, and once it is put
right everything goes by itself."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consumers.monitor.home import accept_register, create_monitor_home
from consumers.monitor.settings import MonitorSettings
from referral_bus.broker.kafka import Connection, KafkaTopicAdmin
from referral_bus.broker.kafka.client import open_admin
from referral_bus.clock import system_clock
from referral_bus.federation.register import parse_register
from referral_bus.home import Home, known_services
from tests.faults.brokers import OwnKafka, own_kafka
from tests.kafka.services import Services, started
from tests.kafka.test_service import ask
from tests.kit.homes import RECIPIENT, SENDER, Agency
from tests.kit.people import request_document
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

BLAMES = (f"next must act the service of {RECIPIENT}", f"next must act the staff of {RECIPIENT}")


class Federation:
    """Two services and the monitor over a Kafka of their own; what the commands say about the referral sent last."""

    def __init__(self, folder: Path, kafka: OwnKafka) -> None:
        self.kafka = kafka
        self.services = Services(folder / "agencies", kafka.bootstrap)
        self.services.sender.set_to(resend_after_s="1")
        self.services.make_topics()
        home = Home(self.services.sender.home)
        self.monitor = Agency(folder / "monitor")
        data = home.registers.file.read_bytes()
        signatures = home.registers.file.with_name("register.signatures.yaml").read_bytes()
        register = parse_register(data, known_services())
        self.inbox = register.inbox(RECIPIENT) or ""
        settings = MonitorSettings(federation=register.federation, kafka=kafka.bootstrap, http_port=0)
        accept_register(
            create_monitor_home(self.monitor.home, settings), data, signatures, system_clock(), register.sha256
        )
        self.sending, _ = started(self.services, [self.services.sender, self.services.recipient])
        self.watching = self.services.start(self.monitor, ("deploy.app", "monitor", "run"))
        self.watching.wait_until_ready()
        self.referral = ""

    def refer(self, need: str = "A room for the night.") -> None:
        document = request_document(RECIPIENT)
        document["body"]["request"]["need"] = need
        document["body"]["person"]["subject_ref"] = str(uuid4())
        file = self.services.folder / "referral.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        said = self.services.run("publish", file, "--home", self.services.sender.home, "--json")
        assert said.returncode == 0, said.stderr
        self.referral = json.loads(said.stdout)[0]["referral_id"]

    def say(self, *command: str) -> tuple[int, Any]:
        """The sender's command as JSON, with its exit code."""
        said = self.services.run(*command, "--home", self.services.sender.home, "--json")
        return said.returncode, json.loads(said.stdout)

    def why(self) -> dict[str, Any]:
        found: dict[str, Any] = self.say("why", self.referral)[1]
        return found

    def monitor_says(self) -> tuple[int, dict[str, Any]]:
        said = self.services.run("monitor", "status", "--home", self.monitor.home, "--json")
        return said.returncode, json.loads(said.stdout)

    def waits_for_the_operators(self, failure: str) -> None:
        """Every view of the sender's, and the metric."""
        wait_until(lambda: self.why()["send_failure"] == failure)
        why, shown = self.why(), self.say("show", self.referral)[1]
        assert why["actor"] == shown["actor"] == "operators"
        assert shown["send_failure"] == failure
        assert not [blame for blame in BLAMES if blame in why["sentence"]]
        assert "next must act the operators of the bus" in why["sentence"]
        [trouble] = self.say("agency", "status")[1]["cannot_send"]
        assert (trouble["to"], trouble["failure"], trouble["events"] > 0) == (RECIPIENT, failure, True)
        series = f'referralbus_send_failures{{reason="{failure}"}} '
        [line] = [line for line in ask(self.sending, "/metrics")[1].splitlines() if line.startswith(series)]
        assert float(line.removeprefix(series)) > 0

    def is_told_to_the_operators(self, code: str) -> None:
        """By a notice of the sender's service, which looks at its start and each minute."""
        self.sending.terminate()
        self.sending = self.services.start(self.services.sender)

        def dead_letters() -> list[dict[str, Any]]:
            return [need for need in self.monitor_says()[1]["needs"] if need["kind"] == "dead letters"]

        wait_until(lambda: any(code in need["what"] for need in dead_letters()))
        assert {need["agency"] for need in dead_letters()} == {SENDER}

    def arrives(self) -> None:
        wait_until(lambda: self.say("show", self.referral)[1]["history"][0]["state"] == "stored")
        why = self.why()
        assert (why["send_failure"], why["own_service"]) == (None, "works")
        wait_until(lambda: self.say("agency", "status")[1]["cannot_send"] == [])


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("refused")
    with own_kafka(folder) as kafka:
        made = Federation(folder, kafka)
        try:
            made.refer()
            made.arrives()
            yield made
        finally:
            made.services.end()


def test_an_inbox_that_takes_no_record_of_this_size_is_told_as_that(federation: Federation) -> None:
    with closing(KafkaTopicAdmin(Connection(federation.kafka.bootstrap, "tests"))) as admin:
        plan = admin.live_topics()[federation.inbox]
        admin.change_topic(replace(plan, config=dict(plan.config) | {"max.message.bytes": "2000"}))
    federation.refer("A room for the night. " * 60)
    federation.waits_for_the_operators("too_large")
    federation.is_told_to_the_operators("NOT_SENT_TOO_LARGE")
    federation.services.make_topics()
    federation.arrives()


def test_an_inbox_that_is_gone_is_told_as_that(federation: Federation) -> None:
    with closing(open_admin(Connection(federation.kafka.bootstrap, "tests"))) as admin:
        admin.delete_topics([federation.inbox])
    federation.refer()
    federation.waits_for_the_operators("topic_missing")
    federation.is_told_to_the_operators("NOT_SENT_TOPIC_MISSING")
    federation.services.make_topics()
    federation.arrives()


def test_a_kafka_that_does_not_answer_is_told_as_that_and_no_agency_is_silent_for_it(federation: Federation) -> None:
    federation.kafka.kill()
    wait_until(lambda: not federation.sending.status().parts.get("broker", True))
    federation.refer()
    why = federation.why()
    assert (why["own_service"], why["actor"]) == ("cut-off", "operators")
    assert not [blame for blame in BLAMES if blame in why["sentence"]]
    code, status = federation.say("agency", "status")
    assert (code, status["parts"]["broker"]) == (3, False)
    wait_until(lambda: not federation.monitor_says()[1]["kafka_answers"])
    code, seen = federation.monitor_says()
    assert (code, seen["needs"][0]["kind"]) == (3, "monitor behind")
    assert not [need for need in seen["needs"] if need["kind"] in ("silent", "not reading")]
    federation.kafka.start()
    federation.arrives()
