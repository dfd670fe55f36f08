"""A home that was put back as a whole, marks and all: what others have heard of it is all that tells."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from deploy.app.desk import open_desk
from deploy.app.own_past import announced_before
from referral_bus.broker.memory import MemoryBroker
from referral_bus.clock import system_clock
from referral_bus.errors import LedgerUnusable, Reason
from referral_bus.outside_backups import LOWEST
from referral_bus.wire.raw import RawRecord
from tests.kit.bench import Bench, bench
from tests.kit.forge import an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER, request
from tests.kit.topics import records
from tests.kit.waiting import wait_until
from tests.unit.deploy.app.conftest import Federation
from tests.unit.deploy.app.homes import RECIPIENT as RECIPIENT_HOME
from tests.unit.deploy.app.test_service import Running


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
    service.desk.publish([request(RECIPIENT_HOME)] * 3)
    inbox = service.desk.register.inbox(RECIPIENT_HOME) or ""
    wait_until(lambda: service.desk.outside.high_water().audit_count >= 3)
    service._announce_once()
    topic = running.broker.topics([service.desk.register.announcement(SENDER) or ""])
    wait_until(lambda: sum(running.broker.ends(next(iter(topic.values()))).values()) >= 2)
    assert all(running.end())
    sent = sum(running.broker.ends(running.broker.topics([inbox])[inbox]).values())

    shutil.rmtree(federation.sender.home)
    shutil.copytree(tmp_path / "put back later", federation.sender.home)
    behind = running.start(federation.sender)
    behind.desk.publish([request(RECIPIENT_HOME)])
    wait_until(lambda: behind.supervisor.fatal is not None)
    assert isinstance(behind.supervisor.fatal, LedgerUnusable)
    assert behind.supervisor.fatal.reason is Reason.LEDGER_BEHIND
    running.end()
    assert sum(running.broker.ends(running.broker.topics([inbox])[inbox]).values()) == sent, "nothing left it"
    with pytest.raises(LedgerUnusable):
        assert open_desk(federation.sender.home).ledger


def test_only_what_we_have_signed_ourselves_tells_of_our_past(pair: Bench) -> None:
    """Another agency, or the host, writes into our announcement topic."""
    topic = pair.register.announcement(SENDER) or ""
    own = announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None)
    theirs = records(pair, pair.register.announcement(RECIPIENT))[0]
    sender = pair.broker.sender()
    sender.send(RawRecord(topic, theirs.key, theirs.value, theirs.headers))
    sender.send(signed(pair, an_announcement(pair, RECIPIENT, 99, incarnation=9), topic))
    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None) == own


def test_what_nobody_can_unpack_is_not_waited_for(pair: Bench) -> None:
    topic = pair.register.announcement(SENDER) or ""
    told = announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None)
    pair.broker.append_unreadable(topic, 0)
    rounds = iter(range(20))

    def progress() -> None:
        next(rounds)

    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), progress) == told


def test_where_nothing_was_ever_announced_there_is_nothing_to_be_behind_of(pair: Bench) -> None:
    pair.broker.wipe()
    assert announced_before(pair.broker, pair.register, SENDER, pair.clock(), Event(), lambda: None) == LOWEST
