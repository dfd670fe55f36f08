"""How far agencies' services are behind."""

import threading
from datetime import timedelta
from pathlib import Path

from referral_bus.broker.protocols import Position
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, an_announcement, event_record, signed
from tests.kit.lookout import Lookout, later, lookout

SENDER, RECIPIENT = "family-women", "public-health"
GROUP = f"referral-bus.{RECIPIENT}"


def inbox(bench: Bench) -> str:
    return bench.register.inbox(RECIPIENT) or ""


def commit(bench: Bench, topic: str, offset: int) -> None:
    found = bench.broker.topics([topic])[topic]
    bench.broker.note_commit(GROUP, [Position(topic, found.topic_id, 0, offset)])


def send(bench: Bench, number: int = 1) -> None:
    for _ in range(number):
        bench.broker.sender().send(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))


def lag(monitor: Lookout, bench: Bench) -> tuple[float, float, float]:
    """Records, seconds, and how far it has read."""
    labels = {"group": GROUP, "topic": inbox(bench)}
    names = ("consumer_lag_records", "consumer_lag_seconds", "consumer_committed_offset_sum")
    records, seconds, committed = (monitor.total(name, **labels) for name in names)
    return records, seconds, committed


def test_who_has_read_everything_is_not_behind(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        send(bench, 3)
        commit(bench, inbox(bench), 3)
        monitor.watching.look()

        assert lag(monitor, bench) == (0, 0, 3)


def test_lag_is_the_age_of_the_first_unread_record(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        for _ in range(3):
            send(bench)
            later(bench, monitor, timedelta(minutes=10))
        commit(bench, inbox(bench), 1)
        monitor.watching.look()
        later(bench, monitor, timedelta(minutes=1))
        monitor.watching.look()

        assert lag(monitor, bench) == (2, 21 * 60, 1)


def test_who_never_committed_has_everything_unread(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        send(bench, 4)
        monitor.watching.look()

        assert lag(monitor, bench)[0] == 4


def test_who_seems_to_be_ahead_is_not_behind_by_less_than_nothing(tmp_path: Path) -> None:
    """As after a wipe: the committed offset is of a topic that is no more."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        send(bench)
        commit(bench, inbox(bench), 40)
        monitor.watching.look()

        assert lag(monitor, bench)[0] >= 0
        assert min(monitor.samples().values()) >= 0


def test_committed_offsets_are_asked_for_before_the_ends(tmp_path: Path) -> None:
    """Otherwise whoever reads on in between seems to be ahead of what is there."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (_, monitor):
        source = monitor.watching._source
        asked: list[str] = []

        class Listening:
            def __getattr__(self, name: str) -> object:
                asked.append(name)
                return getattr(source, name)

        monitor.watching._source = Listening()  # type: ignore[assignment]
        monitor.watching.look()

        assert asked[:2] == ["committed", "extents"]


def test_other_topics_count_once_something_was_committed_there(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        announcements = bench.register.announcement(SENDER) or ""
        bench.broker.sender().send(signed(bench, an_announcement(bench, SENDER, 9)))
        monitor.watching.look()
        assert monitor.total("consumer_lag_records", group=GROUP, topic=announcements) == 0

        commit(bench, announcements, 1)
        monitor.watching.look()

        assert monitor.total("consumer_lag_records", group=GROUP, topic=announcements) == 1


def test_a_service_that_lives_and_does_not_read_is_named(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        send(bench, 2)
        commit(bench, inbox(bench), 1)
        monitor.read()
        for counter in range(9, 26):
            later(bench, monitor, timedelta(minutes=1))
            for code in (SENDER, RECIPIENT):
                bench.broker.sender().send(signed(bench, an_announcement(bench, code, counter)))
            monitor.read()

        assert monitor.needs() == [("not reading", RECIPIENT, inbox(bench))]
        commit(bench, inbox(bench), 2)
        monitor.read()
        assert monitor.needs() == []


def test_a_service_that_reads_too_little_is_named(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        send(bench, 30)
        monitor.read()
        for number in range(1, 18):
            later(bench, monitor, timedelta(minutes=1))
            commit(bench, inbox(bench), number)
            for code in (SENDER, RECIPIENT):
                bench.broker.sender().send(signed(bench, an_announcement(bench, code, 10 + number)))
            monitor.read()

        assert monitor.needs() == [("reading slowly", RECIPIENT, inbox(bench))]


def test_while_the_broker_is_away_nothing_is_claimed(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        before = monitor.total("monitor_position_timestamp_seconds")
        bench.broker.go_down()
        later(bench, monitor, timedelta(hours=1))

        stop = threading.Event()
        monitor.watching.run(0.0, stop, stop.set)

        assert monitor.total("monitor_position_timestamp_seconds") == before
        assert monitor.needs()[0] == ("monitor behind", None, "what is shown here is old")
