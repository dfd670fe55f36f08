"""The service in this process, over a broker in memory: its parts, its readiness, its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.app.agency_client import open_client
from deploy.app.service.agency_service import Service
from deploy.app.service.gauges import refresh_gauges
from deploy.app.service.handover_endpoint import load_endpoint
from deploy.provision.topics import wanted_topics
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from referral_bus.logs import make_log
from referral_bus.metrics import AGENCY_METRICS, PREFIX
from tests.kit.bench import LogLines
from tests.kit.command import PLANTED, Command, assert_refused
from tests.kit.handlers import handed_over
from tests.kit.homes import RECIPIENT, Agency
from tests.kit.people import PLANTED_NAME, request
from tests.kit.waiting import wait_until
from tests.unit.deploy.app.conftest import Federation

HANDLERS = "tests.kit.handlers"


class Running:
    """Services over one broker, ended together."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.log = LogLines()
        self.services: list[Service] = []
        self.ended: list[int] = []

    def start(self, agency: Agency) -> Service:
        client = open_client(agency.home)
        if not self.broker.live_topics():
            for plan in wanted_topics(client.register):
                self.broker.create_topic(plan)
        service = Service(client, self.broker, make_log(self.log))
        self.services.append(service)
        service.start(self.ended.append)
        return service

    def end(self) -> list[bool]:
        ended = [service.close() for service in self.services]
        for service in self.services:
            service.client.close()
        self.services.clear()
        return ended


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running(MemoryBroker(system_clock))
    yield made
    made.end()


def test_a_referral_goes_through_two_services_to_the_handler_and_the_receipt_comes_back(
    federation: Federation, running: Running
) -> None:
    federation.recipient.set_to(handler=f"'{HANDLERS}:note_down'")
    services = [running.start(agency) for agency in (federation.sender, federation.recipient)]
    wait_until(lambda: all(all(service.ready().values()) for service in services))
    assert set(services[1].ready()) == {
        "thread_watchdog", "thread_changes", "thread_ingest", "thread_announcer", "thread_relay", "thread_keeper",
        "thread_handover", "broker", "own_announcements", "home", "register", "ledger",
    }  # fmt: skip

    client = services[0].client
    published = str(client.publish([request(RECIPIENT)])[0].referral_id)
    wait_until(lambda: client.case(published).steps[0].state == "stored")
    event = client.case(published).steps[0].event_id
    wait_until(lambda: handed_over(federation.recipient.home).count(str(event)) == 1)

    assert running.end() == [True, True]
    assert PLANTED_NAME not in running.log.text


def test_a_failing_hand_over_is_tried_again_and_its_message_is_not_logged(
    federation: Federation, running: Running
) -> None:
    federation.recipient.set_to(handler=f"'{HANDLERS}:fails_once'", handover_retry_s="0.2")
    running.start(federation.recipient)
    wait_until(lambda: len(handed_over(federation.recipient.home)) == 1)
    assert "handover_failed" in running.log.text
    assert "ConnectionError in tests.kit.handlers" in running.log.text
    assert PLANTED not in running.log.text
    assert PLANTED_NAME not in running.log.text


def test_a_service_without_its_broker_is_not_ready_and_becomes_so_when_it_comes(
    federation: Federation, running: Running
) -> None:
    running.broker.go_down()
    client = open_client(federation.recipient.home)
    service = Service(client, running.broker, make_log(running.log))
    running.services.append(service)
    service.start(running.ended.append)
    lacking = ["broker", "own_announcements"]
    wait_until(lambda: [name for name, well in service.ready().items() if not well] == lacking)
    running.broker.come_up()
    for plan in wanted_topics(client.register):
        running.broker.create_topic(plan)
    wait_until(lambda: all(service.ready().values()))


def test_the_metrics_are_those_of_the_table(federation: Federation, running: Running) -> None:
    service = running.start(federation.recipient)
    wait_until(lambda: all(service.ready().values()))
    refresh_gauges(service.client, service.metrics)
    families = list(text_string_to_metric_families(generate_latest(service.metrics.registry).decode()))
    total = {"counter": "_total", "gauge": ""}
    exposed = {
        (f"{family.name.removeprefix(PREFIX)}{total[family.type]}", family.type, family.documentation)
        for family in families
    }
    assert exposed == {(rule.name, rule.kind, rule.meaning) for rule in AGENCY_METRICS}
    labels = {rule.name: set(rule.labels) for rule in AGENCY_METRICS}
    for family in families:
        for sample in family.samples:
            assert set(sample.labels) == labels[sample.name.removeprefix(PREFIX)]
    values = {(sample.name, *sample.labels.values()): sample.value for f in families for sample in f.samples}
    assert values[f"{PREFIX}referrals_open", "recipient", "not-handed-over"] == 1
    assert values[f"{PREFIX}referrals_overdue", "recipient", "not-handed-over"] == 0
    assert values[f"{PREFIX}handover_oldest_timestamp_seconds",] > 0


BROKEN = {
    "syntax": ("def handler(client):\n    return (\n", "SyntaxError in broken_syntax.py, line 2"),
    "imports": ("import json\nimport no_such_module_7731\n", "ModuleNotFoundError in broken_imports.py, line 2"),
    "raises": ("def handler(client):\n    raise KeyError('PLANTED-7731')\n", "KeyError in broken_raises.py, line 2"),
    "deep": ("import json\ndef handler(client):\n    json.loads('PLANTED-7731')\n", "in broken_deep.py, line 3"),
    "leaves": ("import sys\nsys.exit('PLANTED-7731')\n", "SystemExit in broken_leaves.py, line 2"),
    "nothing": ("def handler(client):\n    pass\n", "returns nothing that can be called"),
    "unnamed": ("", "has no such function"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_handler_that_fails_to_load_is_its_authors_error_with_its_place(
    fault: str, federation: Federation, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, says = BROKEN[fault]
    (tmp_path / f"broken_{fault}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    federation.recipient.set_to(handler=f"'broken_{fault}:handler'")
    said = command(federation.recipient, "agency", "run")
    assert_refused(said, "SETTINGS_INVALID", "handler", "7731")
    assert says in said.err


def test_an_agency_that_takes_in_nothing_or_pulls_has_no_handler(federation: Federation) -> None:
    client = open_client(federation.recipient.home)
    assert load_endpoint(client) is None
    client.close()
