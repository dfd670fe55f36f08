"""Hand-over: passes received events to the agency's own system, in order for each referral, and different referrals in
parallel. The system answers each event with one of these:

    HandedOver  the system has the event
    Down        the system cannot be reached: uses up no attempt; all hand-overs pause, longer each time
    Failed      the system did not take this event: uses up an attempt; only its referral pauses, longer each time;
                after the last attempt the event is a dead letter

An event is handed over at least once; a repeated one has the same `event_id`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from referral_bus.backoff import Backoff
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import LONGEST_REST, Received, Retries
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.logs import Log, Seldom, defect
from referral_bus.metrics import ServiceMetrics
from schemas.events import ReferralKey
from schemas.outcomes import Code

IDLE_S = 0.5
SLOW_S = 60.0  # a hand-over that takes longer is logged as `handover_slow`
LOOK_S, LONGEST_LOOK_S, SLOWER = 0.005, 0.1, 1.25  # pause between looks for answers; grows while none comes


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The agency's system has the event."""


@dataclass(frozen=True, slots=True)
class Down:
    """The agency's system could not be reached. `why` names the error or the HTTP status, never text from input."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The agency's system did not take this event. `why` names the error or the HTTP status, or the line of code at
    which the agency's handler failed; never text from input."""

    why: str


Answer = HandedOver | Down | Failed
Endpoint = Callable[[Received], Answer]
"""Hands one event over and returns the system's answer. It must return within a bounded time. An exception counts as
`Failed`, except `NotNow`, which counts as `Down`."""

Handler = Callable[[Received], None]
"""The agency's own Python code. When it returns, the event counts as handed over. It raises `NotNow` while it can take
no event at all; any other exception means that it could not take this one. It may be called again with an `event_id`
that it has seen, and must not take that event twice."""


class NotNow(Exception):
    """A handler raises this while the agency's system is down. It uses up none of the event's attempts."""


def endpoint_of(handler: Handler) -> Endpoint:
    """An endpoint that calls the agency's own handler; what it raises becomes the answer of the hand-over."""

    def ask(received: Received) -> Answer:
        handler(received)
        return HandedOver()

    return ask


@dataclass(frozen=True, slots=True)
class _AtWork:
    """An event that the endpoint is working on. `since`: when it was given the event, on the monotonic clock."""

    received: Received
    future: Future[Answer]
    since: float = field(default_factory=time.monotonic)


class _Rest:
    """Pauses hand-over while the endpoint is down. Each pause is longer than the one before. When one is over a single
    event is handed over as a probe; an answer other than `Down` ends the pauses."""

    def __init__(self, first: timedelta) -> None:
        self._backoff = Backoff(first, LONGEST_REST)
        self._rests = 0
        self._pause = first
        self._until: datetime | None = None

    def room(self, now: datetime, workers: int, busy: int) -> int:
        """How many more events may be handed over now."""
        if self._until is None:
            return workers - busy
        resting = timedelta(0) < self._until - now <= self._pause  # a clock that was set back ends it as well
        return 0 if resting or busy else 1

    def begin(self, now: datetime) -> datetime:
        """Begins a pause at `now` and returns when it ends. Hand-overs that were under way when a pause began, and then
        answer `Down` too, do not lengthen it."""
        if self._until is None or now >= self._until:
            self._rests += 1
            self._pause = self._backoff.pause(self._rests)
            self._until = now + self._pause
        return self._until

    def end(self) -> None:
        self._until, self._rests = None, 0


class Handover:
    """One thread calls `tick`; `workers` further threads call the endpoint."""

    def __init__(
        self,
        ledger: Ledger,
        endpoint: Endpoint,
        writing: Callable[[], Writing],
        retries: Retries,
        workers: int,
        metrics: ServiceMetrics,
        log: Log,
    ) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._writing = writing
        self._retries = retries
        self._workers = workers
        self._metrics = metrics
        self._log = log
        self._rest = _Rest(retries.first_pause)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="handover")
        self._look_s = LOOK_S
        self._busy: dict[ReferralKey, _AtWork] = {}
        self._seldom = Seldom(time.monotonic)

    def tick(self) -> float:
        """One round. Returns the seconds until the next one is due, unless something is written to the ledger
        before."""
        moves = self._collect()
        now = self._writing().now
        room = self._rest.room(now, self._workers, len(self._busy))
        if room > 0:
            with self._ledger.read() as tx:
                found = handovers.due(tx, now, self._busy.keys(), room, self._retries)
            moves = moves or bool(found)
            for received in found:
                self._busy[received.referral] = _AtWork(received, self._pool.submit(self._endpoint, received))
        self._tell_of_slow_ones()
        self._look_s = LOOK_S if moves or not self._busy else min(self._look_s * SLOWER, LONGEST_LOOK_S)
        return self._look_s if self._busy else IDLE_S

    def _collect(self) -> bool:
        """Writes down the answers that have come; returns whether there was any."""
        finished = [(each.received, _answer(each.future)) for each in self._busy.values() if each.future.done()]
        if not finished:
            return False
        if any(not isinstance(answer, Down) for _, answer in finished):
            self._rest.end()
        with self._ledger.write() as tx:
            given_up = self._write_down(tx, finished)
        for received, answer in finished:
            del self._busy[received.referral]
            if isinstance(answer, Failed):
                self._log.warning("handover_failed", cursor=received.cursor, where=answer.why)
        for cursor in given_up:
            self._metrics.dead_letter(Code.HANDOVER_EXHAUSTED)
            self._log.error("dead_letter", code=Code.HANDOVER_EXHAUSTED, cursor=cursor)
        return True

    def _tell_of_slow_ones(self) -> None:
        """Logs each hand-over that takes longer than `SLOW_S`: a handler has no time limit, so one that never returns
        shows in the log only."""
        for each in self._busy.values():
            seconds = time.monotonic() - each.since
            if seconds > SLOW_S and self._seldom("slow", str(each.received.cursor)):
                self._log.warning("handover_slow", cursor=each.received.cursor, seconds=round(seconds))

    def _write_down(self, tx: Tx, finished: Sequence[tuple[Received, Answer]]) -> list[int]:
        """Stores what follows from the answers. Returns the cursors of events that have had their last attempt."""
        writing = self._writing()
        down, given_up = [], []
        for received, answer in finished:
            match answer:
                case HandedOver():
                    handovers.handed_over(tx, [received.cursor], writing)
                case Failed():
                    if handovers.failed(tx, received.cursor, self._retries, writing.now):
                        given_up.append(received.cursor)
                case Down(why):
                    down.append(received.cursor)
                    self._log.warning("endpoint_down", why=why, cursor=received.cursor)
                case _:
                    assert_never(answer)
        if down:
            handovers.not_there(tx, down, again_at=self._rest.begin(writing.now))
        return given_up

    def close(self) -> None:
        """Waits for the hand-overs that are under way and stores their answers."""
        self._pool.shutdown(wait=True)
        self._collect()


def _answer(future: Future[Answer]) -> Answer:
    error = future.exception()
    if error is None:
        return future.result()
    return Down("not now") if isinstance(error, NotNow) else Failed(defect(error))
