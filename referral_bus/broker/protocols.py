"""What the bus asks of a broker. Two implementations keep it: `memory` and `kafka`; one test suite runs on both.

A broker is a transport that may lose, repeat and reorder everything. Nothing here promises durability: an event leaves
the sender's outbox only when the recipient's signed receipt says that it is stored.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from referral_bus.wire.raw import RawRecord

SendFailure = Literal["topic_missing", "timed_out", "too_large", "refused", "policy", "abandoned"]
"""`send_failures` tells what each means. `refused`: we lack the right; `policy`: a rule of the broker or the topic."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A live topic. `topic_id` changes when the topic is made anew under the same name: that is how a wipe shows."""

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
    """How far a partition has been read: `offset` is the next one to read."""

    topic: str
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record read from a partition. `appended_at` is the broker's clock (LogAppendTime, UTC): shown, no proof."""

    record: RawRecord
    partition: int
    offset: int
    appended_at: datetime


ENDED_US = "BatchEndedUs"
"""The cause of what is passed over because this process has ended at it several times."""


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
        """What a log and a metric say of it."""
        return "BATCH_ENDED_US" if self.cause == ENDED_US else "UNREADABLE_BATCH"


class Sending(Protocol):
    """One record on its way."""

    def done(self) -> bool: ...

    def failure(self) -> SendFailure | None:
        """None once the broker has acknowledged it; asking before `done()` is a defect."""
        ...


class Sender(Protocol):
    """Sends records. Safe to call from one thread at a time. No call may block for longer than a few milliseconds."""

    def send(self, record: RawRecord) -> Sending | None:
        """None when the bound on bytes in flight is reached: ask again later. A topic that does not exist fails by
        itself with `topic_missing` and delays no other topic."""
        ...

    def close(self) -> None:
        """Ends within seconds even when the broker is gone; what is in flight counts as `abandoned`."""
        ...


class Reader(Protocol):
    """Reads assigned partitions. Used by one thread only."""

    def assign(self, positions: Sequence[Position]) -> None:
        """Replaces what is read, and from where. A position beyond the end starts again at the earliest record."""
        ...

    def poll(self, timeout_s: float, max_records: int) -> Sequence[Delivery]:
        """Waits at most `timeout_s`; while the broker is away there is nothing to read. Order is kept within a
        partition. Raises `ReaderBroken` when this reader can not go on: make a new one. That includes a topic that
        turns out to be another one than its position's `topic_id`. What cannot be unpacked is passed over: it counts
        among `max_records`, and a poll that found nothing else returns nothing, at once."""
        ...

    def passed_over(self) -> Sequence[Unreadable]:
        """What the last `poll` has passed over, in the order of each partition. Everything before it was handed out.
        The caller counts it and moves its position beyond it; nothing is lost by that: the sender has no receipt for
        those records and sends them again."""
        ...

    def reached(self) -> Sequence[Position]:
        """Where each assigned partition stands after the last `poll`: beyond all that was handed out or passed over,
        and beyond what is never handed out (a transaction's marker, records that were deleted). So whether an end is
        reached is told by this, never by what was delivered. A partition whose place is not known yet is left out;
        after an `assign` all are, until the next `poll`."""
        ...

    def commit(self, positions: Sequence[Position]) -> None:
        """Shows others how far we are (lag). Best effort; the ledger's position is the one that counts."""
        ...

    def close(self) -> None: ...


class ReaderBroken(Exception):
    """This reader object is finished. A new one may work, with positions for the topics that `Broker.topics` shows
    now."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


TOPIC_MADE_ANEW = "TopicMadeAnew"
"""The cause of a `ReaderBroken` when the topic read is not the one of its position."""


class Broker(Protocol):
    """Where senders and readers come from. Safe to use from several threads."""

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        """Those of the named topics that exist. Raises `errors.Unreachable` when the broker does not answer in time."""
        ...

    def ends(self, topic: Topic) -> Mapping[int, int]:
        """Where each partition of a topic ends now: the offset that the next record will get. Raises
        `errors.Unreachable` when the broker does not answer in time."""
        ...

    def sender(self) -> Sender: ...

    def reader(self, group: str) -> Reader: ...

    def close(self) -> None: ...


class TopicAdmin(Protocol):
    """Provisioning: used by `register plan` and `register apply`, never by an agency's service."""

    def live_topics(self) -> Mapping[str, TopicPlan]:
        """Every topic that is not Kafka's own, with the settings that differ from the broker's defaults."""
        ...

    def create_topic(self, plan: TopicPlan) -> None: ...

    def change_topic(self, plan: TopicPlan) -> None:
        """Sets `plan.config`, and adds partitions when there are too few. Replication is not changed here."""
        ...

    def close(self) -> None: ...
