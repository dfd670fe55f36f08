"""An agency's service whose disk is full, or whose ledger breaks while it runs: it says so, and loses nothing."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kafka.services import Process, Services, started
from tests.kit.homes import RECIPIENT, Agency
from tests.kit.people import PLANTED_NAME, request_document
from tests.kit.small_disk import small_disk
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
def services(tmp_path: Path, kafka_bootstrap: str) -> Iterator[Services]:
    made = Services(tmp_path / "agencies", kafka_bootstrap)
    made.make_topics()
    yield made
    made.end()


def publish(services: Services) -> tuple[int, str]:
    """One referral; the command's exit code, and what it says of trouble."""
    file = services.folder / "referral.json"
    file.write_text(json.dumps(request_document(RECIPIENT)), encoding="utf-8")
    said = services.run("publish", file, "--again", "--home", services.sender.home, "--json")
    return said.returncode, said.stderr


def rows(agency: Agency, query: str) -> list[str]:
    with closing(sqlite3.connect(agency.home / "ledger.sqlite")) as ledger:
        return [value for (value,) in ledger.execute(query)]


def sent_and_stored(services: Services) -> bool:
    published = rows(services.sender, "SELECT hex(event_id) FROM outbox WHERE state = 'stored' ORDER BY 1")
    outbox = rows(services.sender, "SELECT hex(event_id) FROM outbox ORDER BY 1")
    stored = rows(services.recipient, "SELECT hex(event_id) FROM events ORDER BY 1")
    return published == outbox == stored


def waits_for_its_ledger(process: Process) -> bool:
    return any(event.get("code") == "LEDGER_UNREACHABLE" for event in process.events())


def test_a_full_disk_is_said_and_what_was_accepted_goes_its_way_when_there_is_room(services: Services) -> None:
    with small_disk(services.sender.home, 12) as disk:
        [process, _] = started(services, [services.sender, services.recipient])
        assert publish(services)[0] == 0
        wait_until(lambda: sent_and_stored(services))
        disk.fill()
        accepted = 1
        while (said := publish(services))[0] == 0:
            accepted += 1
        error = json.loads(said[1])["error"]
        assert (said[0], error["reason"], error["path"]) == (3, "LEDGER_UNREACHABLE", "ledger")
        assert error["advice"] == "the disk is full; free some space, nothing accepted is lost"
        wait_until(lambda: process.status().parts.get("ledger") is False)
        assert waits_for_its_ledger(process)
        disk.free()
        wait_until(lambda: process.status().ready)
        assert publish(services)[0] == 0
        wait_until(lambda: sent_and_stored(services))
        assert len(rows(services.sender, "SELECT number FROM outbox")) == accepted + 1
        lines = [event for event in process.events() if event["event"] == "waiting"]
        assert len(lines) <= len({(event["thread"], event["code"]) for event in lines}) * 2
        assert not [event for event in process.events() if event["event"] == "thread_failed"]
        assert process.terminate()[0] == 0


def test_on_a_full_disk_a_service_ends_in_time(services: Services) -> None:
    with small_disk(services.sender.home, 12) as disk:
        [process] = started(services, [services.sender])
        disk.fill()
        wait_until(lambda: process.status().parts.get("ledger") is False)
        code, took = process.terminate()
        assert (code, took < 10) == (0, True)


def test_a_ledger_that_breaks_while_it_is_used_ends_the_service_with_one_clear_line(services: Services) -> None:
    [process] = started(services, [services.sender])
    assert publish(services)[0] == 0
    file = services.sender.home / "ledger.sqlite"
    with file.open("r+b") as ledger:
        ledger.seek(4096)
        ledger.write(b"\xa5" * (file.stat().st_size - 4096))
    assert process.popen.wait(PATIENCE_S) == 2
    *lines, last = process.log.read_text().splitlines()
    assert last.startswith("referral-bus: LEDGER_DAMAGED at ledger: ")
    assert "agency restored" in last
    assert "cannot_go_on" in {json.loads(line)["event"] for line in lines}
    assert "Traceback" not in process.log.read_text()
    assert PLANTED_NAME not in process.log.read_text()


def test_a_ledger_that_is_taken_away_ends_the_service_and_none_is_made(services: Services) -> None:
    [process] = started(services, [services.sender])
    (services.sender.home / "ledger.sqlite").rename(services.folder / "taken.sqlite")
    assert process.popen.wait(PATIENCE_S) == 2
    assert not (services.sender.home / "ledger.sqlite").exists()
