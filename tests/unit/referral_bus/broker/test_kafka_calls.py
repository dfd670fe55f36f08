import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, NodeNotReadyError, NoError, NotCoordinatorError, TopicAlreadyExistsError

from referral_bus.broker.kafka import commits
from referral_bus.broker.kafka.commits import Commits
from referral_bus.broker.kafka.timed_calls import AdminCalls
from referral_bus.broker.kafka.topics import find_absent, find_topics
from referral_bus.broker.protocols import Position, Topic
from referral_bus.errors import Reason, Unreachable
from tests.kit.waiting import PATIENCE_S, wait_until


class FakeAdmin:
    def __init__(self) -> None:
        self.closed = threading.Event()
        self.stale = False

    def close(self) -> None:
        self.closed.set()

    def ask(self, answer: Any) -> Any:
        if self.stale:
            raise NodeNotReadyError
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clients:
    def __init__(self) -> None:
        self.opened: list[FakeAdmin] = []
        self.calls = AdminCalls(self.open)
        self.answers = threading.Event()
        self.answers.set()

    def open(self) -> FakeAdmin:
        assert self.answers.wait(PATIENCE_S)
        self.opened.append(FakeAdmin())
        return self.opened[-1]

    def ask(self, answer: Any, timeout_s: float = 10) -> Any:
        return self.calls.call(lambda admin: admin.ask(answer), timeout_s)


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.answers.set()
    clients.calls.close()


def test_one_client_serves_all_questions(clients: Clients) -> None:
    assert [clients.ask(i) for i in range(3)] == [0, 1, 2]
    assert len(clients.opened) == 1


@pytest.mark.parametrize("what", [lambda _: time.sleep(20), lambda _: threading.Event().wait(20)])
def test_no_question_takes_longer_than_its_time(clients: Clients, what: Callable[[Any], Any]) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable) as unreachable:
        clients.calls.call(what, 0.2)
    assert time.monotonic() - started < 10
    assert unreachable.value.reason is Reason.KAFKA_UNREACHABLE


def test_callers_share_one_attempt_to_connect(clients: Clients) -> None:
    clients.answers.clear()
    before = threading.active_count()
    with pytest.raises(Unreachable):
        clients.ask(1, 0.2)
    threads = [threading.Thread(target=lambda: clients.ask(1)) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert threading.active_count() <= before + 5 + 2
    clients.answers.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(clients.opened) <= 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [(KafkaTimeoutError(), Reason.KAFKA_UNREACHABLE), (TopicAlreadyExistsError(), Reason.KAFKA_FAILED)],
)
def test_a_client_that_failed_is_given_up(clients: Clients, error: Exception, reason: Reason) -> None:
    with pytest.raises(Unreachable) as unreachable:
        clients.ask(error)
    assert unreachable.value.reason is reason
    assert clients.opened[0].closed.wait(PATIENCE_S)
    assert clients.ask(1) == 1


def test_an_old_connection_is_renewed_before_anybody_is_told(clients: Clients) -> None:
    clients.ask(1)
    clients.opened[0].stale = True
    assert clients.ask(2) == 2
    assert len(clients.opened) == 2


def test_a_defect_stays_a_defect(clients: Clients) -> None:
    with pytest.raises(ZeroDivisionError):
        clients.ask(ZeroDivisionError())


def test_a_client_that_connects_after_it_was_given_up_is_closed(clients: Clients) -> None:
    clients.answers.clear()
    with pytest.raises(Unreachable):
        clients.ask(1, 0.1)
    clients.calls.close()
    clients.answers.set()
    wait_until(lambda: clients.opened and clients.opened[0].closed.is_set())
    with pytest.raises(RuntimeError):
        clients.ask(1)


class FakeGroups:
    """An admin client that keeps what is committed."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.failures = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def call(self, what: Callable[[Any], Any], _timeout_s: float) -> Any:
        return what(self)

    def alter_group_offsets(self, group: str, offsets: Mapping[TopicPartition, Any]) -> Any:
        assert group == "g"
        if self.failures:
            self.failures -= 1
            self.meanwhile()
            return dict.fromkeys(offsets, NotCoordinatorError)
        self.commits.append({partition: one.offset for partition, one in offsets.items()})
        return dict.fromkeys(offsets, NoError)

    def last(self) -> Mapping[int, int]:
        return {partition.partition: offset for one in self.commits for partition, offset in one.items()}


def at(partition: int, offset: int) -> Position:
    return Position("t", "id", partition, offset)


def test_the_newest_position_of_each_partition_is_shown() -> None:
    groups = FakeGroups()
    shown = Commits(groups, "g")  # type: ignore[arg-type]
    started, offset = time.monotonic(), 0
    while time.monotonic() - started < 0.5:
        offset += 1
        shown.want([at(offset % 2, offset)])
        time.sleep(0.001)
    wait_until(lambda: groups.last() == {offset % 2: offset, (offset - 1) % 2: offset - 1})
    shown.close()
    assert len(groups.commits) < 20 * (time.monotonic() - started)


def test_a_failed_commit_is_tried_again_and_never_overtakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "PAUSE_S", 0.01)
    groups = FakeGroups()
    groups.failures = 1
    shown = Commits(groups, "g")  # type: ignore[arg-type]
    groups.meanwhile = lambda: shown.want([at(0, 2)])
    shown.want([at(0, 1), at(1, 1)])
    wait_until(lambda: groups.last() == {0: 2, 1: 1})
    shown.close()
    assert groups.commits == [{TopicPartition("t", 0): 2, TopicPartition("t", 1): 1}]


def test_the_last_commit_is_made_on_closing() -> None:
    groups = FakeGroups()
    shown = Commits(groups, "g")  # type: ignore[arg-type]
    shown.want([at(0, 1)])
    wait_until(lambda: groups.commits)
    shown.want([at(0, 2)])
    shown.close()
    assert groups.last() == {0: 2}


def test_closing_gives_up_when_it_cannot_commit() -> None:
    groups = FakeGroups()
    groups.failures = 10**12
    shown = Commits(groups, "g")  # type: ignore[arg-type]
    shown.want([at(0, 1)])
    shown.close()  # else it would never return


class FakeDescriptions:
    ENTRIES: tuple[tuple[str, int, int, list[str]], ...] = (
        ("ours", 0, 2, ["READ", "WRITE", "DESCRIBE"]),
        ("read only", 0, 1, ["READ", "DESCRIBE"]),
        ("hidden", 29, 0, []),
        ("gone", 3, 0, []),
    )

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        assert names
        return [
            {
                "name": name,
                "error_code": code,
                "topic_id": "id",
                "partitions": [{}] * partitions,
                "authorized_operations": allowed,
            }
            for name, code, partitions, allowed in self.ENTRIES
            if name in names
        ]


def test_topics_are_told_apart() -> None:
    names = [name for name, *_ in FakeDescriptions.ENTRIES]
    admin = FakeDescriptions()
    assert find_topics(admin, names) == {"ours": Topic("ours", "id", 2), "read only": Topic("read only", "id", 1)}
    assert find_absent(admin, names) == {"read only": "forbidden", "hidden": "forbidden", "gone": "missing"}
    assert find_topics(admin, []) == {}
    assert find_absent(admin, []) == {}
