"""The interfaces of a broker. `memory` and `kafka` implement them; one test suite runs on both.

A broker is a transport that may lose, repeat and reorder records. No call here promises durability: an event leaves the
sender's outbox only when the recipient's signed receipt says that it is stored.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from referral_bus.wire.raw import RawRecord

SendFailure = Literal["topic_missing", "timed_out", "too_large", "refused", "policy", "abandoned"]
"""Why a record was not stored in Kafka; `send_failures` says what to do about each. `refused`: Kafka denies our user
the right to write; `policy`: a rule of the broker or the topic forbids the record."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that exists. `topic_id` changes when the topic is made anew under the same name, which shows that its
    records are lost."""

    name: str
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be. `config` holds Kafka's topic settings as strings (retention.ms, cleanup.policy, ...)."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition has been read: `offset` is that of the next record to read."""

    topic: str
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record read from a partition. `appended_at` is by the broker's clock (LogAppendTime, UTC): it is shown, but
    proves nothing."""

    record: RawRecord
    partition: int
    offset: int
    appended_at: datetime


ENDED_US = "BatchEndedUs"
"""The cause of a batch that is passed over because several processes have ended while they unpacked it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Records of one partition, from `offset` to before `next_offset`, that can never be unpacked: a broken or
    unsupported compression, a false checksum, a malformed header. `cause` names an error type and holds no value."""

    topic: str
    partition: int
    offset: int
    next_offset: int
    cause: str

    @property
    def code(self) -> str:
        """The word for it in logs and metrics."""
        return "BATCH_ENDED_US" if self.cause == ENDED_US else "UNREADABLE_BATCH"


class Sending(Protocol):
    """One record that was sent and whose outcome comes later."""

    def done(self) -> bool: ...

    def failure(self) -> SendFailure | None:
        """Why the record failed; None if the broker has acknowledged it. Raises `RuntimeError` before `done()`."""
        ...


class Sender(Protocol):
    """Sends records. One thread at a time may call it. `send` blocks for a few milliseconds at most."""

    def send(self, record: RawRecord) -> Sending | None:
        """Sends a record; None when the bound on bytes in flight is reached: call again later. A record for a topic
        that does not exist fails with `topic_missing` and delays no other topic. Raises `RuntimeError` after
        `close`."""
        ...

    def close(self) -> None:
        """Ends within seconds, even when the broker is gone; records still in flight are then `abandoned`."""
        ...


class Reader(Protocol):
    """Reads assigned partitions. Only one thread may use it."""

    def assign(self, positions: Sequence[Position]) -> None:
        """Replaces the partitions to read, and the positions to read from. A position beyond a partition's end goes
        back to the earliest record."""
        ...

    def poll(self, timeout_s: float, max_records: int) -> Sequence[Delivery]:
        """The next records, in order within each partition; none after `timeout_s`, or while the broker is away.
        Passes over batches that cannot be unpacked: each counts among `max_records`, and a poll that finds nothing else
        returns an empty list at once. Raises `ReaderBroken` when this reader cannot go on, as when a topic has another
        id than its position: make a new reader."""
        ...

    def passed_over(self) -> Sequence[Unreadable]:
        """The batches that the last `poll` has passed over, in order within each partition; it has handed out all
        records before each. The caller counts them and moves its position beyond them. That loses nothing: their writer
        has no receipt for those records, and sends them again."""
        ...

    def reached(self) -> Sequence[Position]:
        """The position of each assigned partition after the last `poll`: beyond all records handed out or passed over,
        and beyond offsets that no reader hands out (a transaction's marker, deleted records). So only this tells
        whether the end of a partition is reached; the records handed out do not. A partition whose position is not
        known yet is left out; after an `assign` all are, until the next `poll`."""
        ...

    def commit(self, positions: Sequence[Position]) -> None:
        """Shows the operators how far this reader is (lag). Best effort: the reader starts from the ledger's position,
        never from this one."""
        ...

    def close(self) -> None: ...


class ReaderBroken(Exception):
    """This reader cannot go on. A new one may work, with positions for the topics that `Broker.topics` returns now."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


TOPIC_MADE_ANEW = "TopicMadeAnew"
"""The cause of a `ReaderBroken` for a topic whose id differs from its position's."""


class Broker(Protocol):
    """Makes senders and readers, and tells about topics. Safe to use from several threads."""

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        """The topics of these names that exist. Raises `errors.Unreachable` when the broker does not answer in time."""
        ...

    def ends(self, topic: Topic) -> Mapping[int, int]:
        """The end of each partition of a topic: the offset that the next record will get. Raises `errors.Unreachable`
        when the broker does not answer in time."""
        ...

    def sender(self) -> Sender: ...

    def reader(self, group: str) -> Reader: ...

    def close(self) -> None: ...


class TopicAdmin(Protocol):
    """Reads, creates and changes topics. Used by `register plan` and `register apply`, never by an agency's
    service."""

    def live_topics(self) -> Mapping[str, TopicPlan]:
        """All topics but Kafka's own ones, with the settings that differ from the broker's defaults."""
        ...

    def create_topic(self, plan: TopicPlan) -> None: ...

    def change_topic(self, plan: TopicPlan) -> None:
        """Sets `plan.config`, removes other settings of the topic, and adds partitions when there are too few. It does
        not change the replication."""
        ...

    def close(self) -> None: ...
