"""The demonstration's host of Kafka: it reads what anybody could, and sends a copy as it was."""

import pytest
from typing_extensions import override

from deploy.demo.host import Host
from referral_bus.broker.memory import MemoryBroker, MemorySending
from referral_bus.broker.protocols import TopicPlan
from referral_bus.errors import Unreachable
from referral_bus.wire.raw import RawRecord

INBOX = "inbox"
FIRST, SECOND = (RawRecord(INBOX, key, b"value", (("rb_keyid", b"0"),)) for key in (b"one", b"two"))


@pytest.fixture
def host() -> Host:
    broker = MemoryBroker()
    broker.create_topic(TopicPlan(INBOX, 1, 1))
    host = Host(broker, within_s=0.3)
    for record in (FIRST, SECOND):
        host.replay(record)
    return host


def test_a_copy_stands_in_its_topic_once_more_as_it_was(host: Host) -> None:
    before = host.end(INBOX)
    host.replay(host.find(INBOX, lambda record: record.key == b"two"))
    assert host.end(INBOX) == before + 1
    assert host.find(INBOX, lambda _: True, before) == SECOND


class ForgetfulBroker(MemoryBroker):
    """Loses the first record that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_sends("abandoned")

    @override
    def accept(self, sending: MemorySending) -> None:
        super().accept(sending)
        self.fail_sends(None)


def test_a_copy_that_did_not_arrive_is_sent_again() -> None:
    broker = ForgetfulBroker()
    broker.create_topic(TopicPlan(INBOX, 1, 1))
    host = Host(broker, within_s=5)
    host.replay(FIRST)
    assert host.end(INBOX) == 1


def test_what_does_not_come_in_time_is_an_error_and_no_endless_wait(host: Host) -> None:
    with pytest.raises(Unreachable):
        host.find(INBOX, lambda record: record.key == b"three")


def test_what_stands_before_the_start_is_not_found(host: Host) -> None:
    with pytest.raises(Unreachable):
        host.find(INBOX, lambda record: record.key == b"one", 1)
