"""A service that is told to end does so within ten seconds, whatever hangs, and loses nothing that was accepted."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from deploy.app.service.shutdown import STUCK
from tests.faults.brokers import own_kafka
from tests.kafka.services import Process, Services, started
from tests.kit.handlers import handed_over
from tests.kit.homes import RECIPIENT, Agency
from tests.kit.people import request_document
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

HANDLERS = "tests.kit.handlers"
WITHIN_S = 10.0


@pytest.fixture
def services(tmp_path: Path, kafka_bootstrap: str) -> Iterator[Services]:
    made = Services(tmp_path / "agencies", kafka_bootstrap)
    made.make_topics()
    yield made
    made.end()


def publish(services: Services, number: int = 1) -> list[str]:
    """Referrals that the command has accepted."""
    file = services.folder / "referrals.json"
    file.write_text(json.dumps([request_document(RECIPIENT)] * number), encoding="utf-8")
    said = services.run("publish", file, "--home", services.sender.home, "--json")
    assert said.returncode == 0, said.stderr
    return [each["referral_id"] for each in json.loads(said.stdout)]


def states(agency: Agency) -> list[str]:
    with closing(sqlite3.connect(agency.home / "ledger.sqlite")) as ledger:
        return [state for (state,) in ledger.execute("SELECT state FROM outbox ORDER BY number")]


def assert_ends(process: Process, *codes: int) -> None:
    code, took = process.terminate()
    assert code in codes
    assert took < WITHIN_S
    assert "Traceback" not in process.log.read_text()


@pytest.fixture
def hanging(services: Services) -> Process:
    """A recipient whose handler has been given an event and never returns."""
    services.recipient.set_to(handler=f"'{HANDLERS}:hangs'")
    [_, process] = started(services, [services.sender, services.recipient])
    publish(services)
    wait_until(services.recipient.home.with_suffix(".hangs").exists)
    return process


def assert_handed_over_after_all(services: Services) -> None:
    settings = services.recipient.home / "settings.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(":hangs", ":note_down"), encoding="utf-8")
    services.start(services.recipient)
    wait_until(lambda: len(handed_over(services.recipient.home)) == 1)


def test_a_handler_that_hangs_is_not_waited_for_and_gets_its_event_again(services: Services, hanging: Process) -> None:
    assert_ends(hanging, STUCK)
    assert hanging.events()[-1] | {"timestamp": ""} == {
        "event": "stopped", "in_time": False, "level": "info", "agency": RECIPIENT, "timestamp": "",
    }  # fmt: skip
    assert_handed_over_after_all(services)


def catches(process: Process, number: signal.Signals) -> bool:
    """Whether the process's own code is called for the signal."""
    lines = Path(f"/proc/{process.popen.pid}/status").read_text(encoding="ascii").splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> number - 1 & 1)


def test_a_second_signal_ends_it_at_once(services: Services, hanging: Process) -> None:
    hanging.popen.send_signal(signal.SIGINT)
    wait_until(lambda: not catches(hanging, signal.SIGTERM))
    code, took = hanging.terminate()
    assert code == -signal.SIGTERM
    assert took < WITHIN_S / 2  # by itself it takes all of it
    assert_handed_over_after_all(services)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["does not answer", "is gone"])
def test_when_kafka_is_away_it_ends_in_time_and_sends_later(how: signal.Signals, tmp_path: Path) -> None:
    with own_kafka(tmp_path) as kafka:
        services = Services(tmp_path / "agencies", kafka.bootstrap)
        services.sender.set_to(resend_after_s="1")
        services.make_topics()
        try:
            [process] = started(services, [services.sender])
            [pid] = kafka.running().values()
            os.kill(pid, how)
            publish(services, 20)
            wait_until(lambda: states(services.sender) == ["waiting_for_key"] * 20)
            assert_ends(process, 0)
            os.kill(pid, signal.SIGCONT) if how is signal.SIGSTOP else kafka.start()
            started(services, [services.sender, services.recipient])
            wait_until(lambda: states(services.sender) == ["stored"] * 20)
        finally:
            services.end()


def test_a_ledger_that_somebody_locks_is_waited_for_and_said(services: Services) -> None:
    [process, _] = started(services, [services.sender, services.recipient])
    with closing(sqlite3.connect(services.sender.home / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: process.status().parts.get("ledger") is False)
        said = services.run("publish", services.folder / "referrals.json", "--home", services.sender.home)
        other.execute("ROLLBACK")
    wait_until(lambda: process.status().ready)
    waiting = [event for event in process.events() if event["event"] == "waiting"]
    assert {event["code"] for event in waiting} == {"LEDGER_UNREACHABLE"}
    assert len(waiting) <= 6  # one for each thread
    assert said.returncode == 2  # the file is not there
    publish(services)
    wait_until(lambda: states(services.sender) == ["stored"])


def test_while_somebody_locks_the_ledger_it_ends_in_time(services: Services) -> None:
    [process] = started(services, [services.sender])
    with closing(sqlite3.connect(services.sender.home / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: process.status().parts.get("ledger") is False)
        assert_ends(process, 0)


@contextmanager
def overbooked(times: int = 4) -> Iterator[None]:
    """This many busy processes run for each processor meanwhile."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(times * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_service_ends_within_ten_seconds_on_a_machine_that_is_four_times_overbooked(services: Services) -> None:
    processes = started(services, [services.sender, services.recipient])
    with overbooked():
        publish(services, 200)
        wait_until(lambda: "stored" in states(services.sender))
        for process in processes:
            assert_ends(process, 0)
