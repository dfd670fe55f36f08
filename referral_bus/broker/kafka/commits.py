"""Commits a reader's positions to Kafka, where the operators see them, without making the reader wait."""

import logging
from collections.abc import Mapping, Sequence
from threading import Condition, Thread

from kafka.structs import OffsetAndMetadata, TopicPartition

from referral_bus.broker.kafka.timed_calls import AdminCalls
from referral_bus.broker.protocols import Position
from referral_bus.errors import BusError, Reason, Unreachable

log = logging.getLogger(__name__)

CALL_S = 5.0
PAUSE_S = 0.2
"""Between two commits: without it a busy reader would cause fifty a second."""

CLOSE_S = 1.0

TELL_AFTER = 5
"""Failures in a row before a warning is logged. The first commits in a new cluster fail while Kafka makes the topic in
which it keeps them."""


class Commits:
    """Commits the newest offset of each partition for one group, in a thread of its own. The admin client sends the
    commits: a consumer that did would stop reading whenever the group's coordinator, or the right to use it, is
    missing."""

    def __init__(self, calls: AdminCalls, group: str) -> None:
        self._calls = calls
        self._group = group
        self._changed = Condition()
        self._wanted: dict[TopicPartition, OffsetAndMetadata] = {}
        self._closing = False
        self._failures = 0
        self._thread: Thread | None = None

    def want(self, positions: Sequence[Position]) -> None:
        with self._changed:
            for position in positions:
                partition = TopicPartition(position.topic, position.partition)
                self._wanted[partition] = OffsetAndMetadata(position.offset, "", -1)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="kafka-commits", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Waits `CLOSE_S` at most for the last commit."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                wanted, self._wanted = self._wanted, {}
            done = not wanted or self._commit(wanted)
            with self._changed:
                if self._closing and not (done and self._wanted):
                    return
                self._changed.wait_for(lambda: self._closing, PAUSE_S)

    def _commit(self, wanted: Mapping[TopicPartition, OffsetAndMetadata]) -> bool:
        try:
            self._calls.call(lambda admin: _alter(admin, self._group, wanted), CALL_S)
        except (BusError, RuntimeError) as error:  # RuntimeError: the broker object was closed
            self._failures += 1
            if self._failures == TELL_AFTER:
                log.warning("positions cannot be committed: %s", error)
            with self._changed:
                self._wanted = {**wanted, **self._wanted}
            return False
        self._failures = 0
        return True


def _alter(admin: object, group: str, wanted: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    answers = admin.alter_group_offsets(group, wanted)  # type: ignore[attr-defined]
    for error in answers.values():
        if error.errno != 0:
            raise Unreachable(Reason.KAFKA_FAILED, f"Kafka answered {error.__name__}.")
