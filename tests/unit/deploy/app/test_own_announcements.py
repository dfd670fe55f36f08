"""A home that was put back as a whole, marks and all: what others have heard of it is all that tells."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from deploy.app.agency_client import open_client
from deploy.app.service.own_announcements import NEWEST, announced_before
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from referral_bus.errors import LedgerUnusable, Reason
from referral_bus.rollback_guard import LOWEST, HighWater
from referral_bus.wire.raw import RawRecord
from tests.kit.bench import Bench, bench
from tests.kit.forge import an_announcement, signed
from tests.kit.homes import RECIPIENT as RECIPIENT_HOME
from tests.kit.people import RECIPIENT, SENDER, request
from tests.kit.topics import records
from tests.kit.waiting import wait_until
from tests.unit.deploy.app.conftest import Federation
from tests.unit.deploy.app.test_agency_service import Running


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running(MemoryBroker(system_clock))
    yield made
    made.end()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        yield made


def test_a_ledger_that_knows_less_than_its_own_announcement_says_nothing_and_does_not_start_again(
    federation: Federation, running: Running, tmp_path: Path
) -> None:
    shutil.copytree(federation.sender.home, tmp_path / "put back later")
    service = running.start(federation.sender)
    service.client.publish([request(RECIPIENT_HOME)] * 3)
    inbox = service.client.register.inbox(RECIPIENT_HOME) or ""
    wait_until(lambda: service.client.rollback_guard.high_water().audit_count >= 3)
    service._announce_once()
    topic = running.broker.topics([service.client.register.announcement(SENDER) or ""])
    wait_until(lambda: sum(running.broker.ends(next(iter(topic.values()))).values()) >= 2)
    assert all(running.end())
    sent = sum(running.broker.ends(running.broker.topics([inbox])[inbox]).values())

    shutil.rmtree(federation.sender.home)
    shutil.copytree(tmp_path / "put back later", federation.sender.home)
    behind = running.start(federation.sender)
    behind.client.publish([request(RECIPIENT_HOME)])
    wait_until(lambda: behind.supervisor.fatal is not None)
    assert isinstance(behind.supervisor.fatal, LedgerUnusable)
    assert behind.supervisor.fatal.reason is Reason.LEDGER_BEHIND
    running.end()
    assert sum(running.broker.ends(running.broker.topics([inbox])[inbox]).values()) == sent, "nothing left it"
    with pytest.raises(LedgerUnusable):
        assert open_client(federation.sender.home).ledger


def test_only_what_we_have_signed_ourselves_tells_of_our_past(pair: Bench) -> None:
    """Another agency, or the host, writes into our announcement topic."""
    topic = pair.register.announcement(SENDER) or ""
    own = announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None)
    theirs = records(pair, pair.register.announcement(RECIPIENT))[0]
    sender = pair.broker.sender()
    sender.send(RawRecord(topic, theirs.key, theirs.value, theirs.headers))
    sender.send(signed(pair, an_announcement(pair, RECIPIENT, 99, incarnation=9), topic))
    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None) == own


@pytest.mark.parametrize("tail", [MemoryBroker.append_unreadable, MemoryBroker.append_marker])
def test_what_is_never_handed_out_is_not_waited_for(
    pair: Bench, tail: Callable[[MemoryBroker, str, int], None]
) -> None:
    topic = pair.register.announcement(SENDER) or ""
    told = announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None)
    tail(pair.broker, topic, 0)
    rounds = iter(range(20))

    def progress() -> None:
        next(rounds)

    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), progress) == told


def test_of_a_topic_that_was_emptied_nothing_is_waited_for(pair: Bench) -> None:
    pair.broker.delete_records(pair.register.announcement(SENDER) or "", 0)
    rounds = iter(range(20))

    def progress() -> None:
        next(rounds)

    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), progress) == LOWEST


def test_our_announcement_is_found_behind_a_thousand_records_of_others(pair: Bench) -> None:
    topic = pair.register.announcement(SENDER) or ""
    sender = pair.broker.sender()
    sender.send(signed(pair, an_announcement(pair, SENDER, 99, incarnation=7), topic))
    for _ in range(NEWEST):
        sender.send(RawRecord(topic, b"", b"?", ()))
    told = announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None)
    assert told.incarnation == 7


def test_a_service_is_not_ready_before_it_has_read_its_own_announcements(
    federation: Federation, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()

    def slowly(*arguments: Any) -> HighWater:
        while not go_on.wait(0.1):
            arguments[-1]()
        return LOWEST

    monkeypatch.setattr("deploy.app.service.agency_service.announced_before", slowly)
    service = running.start(federation.sender)
    wait_until(lambda: [name for name, well in service.ready().items() if not well] == ["own_announcements"])
    go_on.set()
    wait_until(lambda: all(service.ready().values()))


def test_where_nothing_was_ever_announced_there_is_nothing_to_be_behind_of(pair: Bench) -> None:
    pair.broker.wipe()
    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None) == LOWEST
