"""Sends to Kafka without making the caller wait: a `Sender`.

The caller's thread only hands records to a producer that knows their topic already. A thread of the sender does all
that can block: it connects, asks which topics exist, and has the producer learn about them. It also watches the
producer and replaces it: after an outage or with a wiped broker a producer can be stuck for all topics, and the library
raises no error."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from typing import Any

from referral_bus.broker.kafka.in_flight import InFlight, KafkaSending
from referral_bus.broker.kafka.producer_session import ProducerSession
from referral_bus.broker.kafka.timed_calls import in_thread
from referral_bus.broker.kafka.topics import Absent
from referral_bus.errors import BusError
from referral_bus.wire.raw import RawRecord

log = logging.getLogger(__name__)

TICK_S = 0.2
TROUBLE_S = 1.0
LEARN_S = 2.0
LAND_S = 2.0

ABSENT_FOR_S = 1.0
"""How long the sender fails records for a topic that cannot be written to before it asks for the topic again."""

AT_ONCE = 50
"""Records that the sender's thread hands over while it holds the lock: a caller of `send` waits 2 ms for them."""


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """A record without an answer has `timed_out` after two thirds of `no_progress_s`. The sender replaces a producer
    that has held a record for all of it."""

    in_flight_bytes: int = 8 * 1024 * 1024
    no_progress_s: float = 30.0

    def __post_init__(self) -> None:
        if self.in_flight_bytes <= 0 or self.no_progress_s <= 0:
            raise ValueError("the limits of a sender must be above 0")

    @property
    def answer_within_s(self) -> float:
        return self.no_progress_s * 2 / 3


class KafkaSender:
    """`connect` gives a producer or raises `BusError`; `find_absent` says which topics cannot be written to."""

    def __init__(
        self,
        connect: Callable[[], Any],
        find_absent: Callable[[Collection[str]], Mapping[str, Absent]],
        limits: SenderLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._find_absent = find_absent
        self._limits = limits
        self._clock = clock
        self._in_flight = InFlight(limits.in_flight_bytes)
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._closing = Event()
        self._session: ProducerSession | None = None
        self._waiting: dict[str, deque[KafkaSending]] = {}
        self._absent: dict[str, tuple[Absent, float]] = {}
        self._ending: Future[None] | None = None
        self._pause_s = TICK_S
        self._told = False
        self._thread = Thread(target=self._run, name="kafka-sender", daemon=True)
        self._thread.start()

    def send(self, record: RawRecord) -> KafkaSending | None:
        with self._lock:
            if self._closing.is_set():
                raise RuntimeError("this sender is closed")
            sending = self._in_flight.take(record, self._clock())
            if sending is not None:
                self._pass_on(sending)
            return sending

    def close(self) -> None:
        """Waits some seconds at most for the records in flight; those without an outcome then are `abandoned`."""
        with self._lock:
            self._closing.set()
            self._changed.notify()
            waiting, self._waiting = self._waiting, {}
        for sending in (each for queue in waiting.values() for each in queue):
            self._in_flight.settle(sending, "abandoned")
        self._in_flight.wait_until_landed(LAND_S)
        self._end_session()
        self._thread.join(LAND_S)
        if self._ending is not None:
            with suppress(TimeoutError):
                self._ending.result(LAND_S)

    def _pass_on(self, sending: KafkaSending) -> None:
        """Hands a record to the producer, or puts it into the queue of its topic. The caller holds `_lock`."""
        topic = sending.record.topic
        absent = self._absent.get(topic)
        if absent is not None and self._clock() < absent[1]:
            self._fail(sending, absent[0])
            return
        if self._session is not None and topic in self._session.known:
            if self._session.hand(sending):
                return
            self._session.known.discard(topic)
        self._waiting.setdefault(topic, deque()).append(sending)
        self._changed.notify()

    def _fail(self, sending: KafkaSending, absent: Absent) -> None:
        self._in_flight.settle(sending, "topic_missing" if absent == "missing" else "refused")

    # -- the sender's thread

    def _run(self) -> None:
        served = True
        while not self._closing.is_set():
            if served:
                with self._lock:
                    self._changed.wait_for(lambda: self._waiting or self._closing.is_set(), TICK_S)
            else:
                self._closing.wait(self._pause_s)  # a record sent meanwhile does not shorten it
            try:
                self._expire_waiting()
                self._watch()
                served = self._serve_waiting()
                self._pause_s = TICK_S
            except Exception as error:  # noqa: BLE001  # if this thread ended, no record would be sent any more
                served = False
                self._pause_s = TROUBLE_S
                self._tell(error)
        self._in_flight.wait_until_landed(LAND_S)
        self._end_session()  # also a session that was opened after `close` had ended the last one

    def _expire_waiting(self) -> None:
        too_old = self._clock() - self._limits.answer_within_s
        with self._lock:
            for topic, queue in list(self._waiting.items()):
                while queue and queue[0].since <= too_old:
                    self._in_flight.settle(queue.popleft(), "timed_out")
                if not queue:
                    del self._waiting[topic]

    def _watch(self) -> None:
        session, oldest = self._session, self._in_flight.oldest()
        if session is None:
            return
        stuck = oldest is not None and self._clock() - oldest > self._limits.no_progress_s
        if stuck or session.spent:
            lost = self._end_session()
            log.warning("producer replaced: %s; in flight: %d", "no progress" if stuck else "a send failed", lost)

    def _serve_waiting(self) -> bool:
        with self._lock:
            topics = list(self._waiting)
        if not topics:
            return True
        absent = self._find_absent(topics)
        self._note_absent(absent)
        present = [topic for topic in topics if topic not in absent]
        if not present or self._closing.is_set():
            return True
        session = self._session or ProducerSession(self._connect(), self._in_flight, self._clock)
        self._session = session
        known = session.learn(present, LEARN_S)
        for topic in known:
            self._flush(session, topic)
        self._told = False
        return len(known) == len(present)

    def _note_absent(self, absent: Mapping[str, Absent]) -> None:
        until = self._clock() + ABSENT_FOR_S
        with self._lock:
            for topic, why in absent.items():
                self._absent[topic] = (why, until)
                for sending in self._waiting.pop(topic, ()):
                    self._fail(sending, why)

    def _flush(self, session: ProducerSession, topic: str) -> None:
        while not self._closing.is_set():
            with self._lock:
                queue = self._waiting.get(topic, deque())
                for _ in range(min(AT_ONCE, len(queue))):
                    if not session.hand(queue[0]):
                        return
                    queue.popleft()
                if not queue:
                    self._waiting.pop(topic, None)
                    session.known.add(topic)
                    return

    def _end_session(self) -> int:
        """Abandons the producer and returns how many records it had in flight, which may land or not."""
        with self._lock:
            session, self._session = self._session, None
        lost = self._in_flight.handed()
        for sending in lost:
            self._in_flight.settle(sending, "abandoned")
        if session is not None:
            self._ending = in_thread("kafka-end", session.end)
        return len(lost)

    def _tell(self, error: Exception) -> None:
        """Logs one warning for each outage. Of an unforeseen error it logs the type only: the text may quote a
        record."""
        if not self._told:
            log.warning("nothing can be sent: %s", error if isinstance(error, BusError) else type(error).__name__)
            self._told = True
