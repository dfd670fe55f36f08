"""Hand-over: what came in goes to the agency's own system, in order for each referral, different referrals in parallel.

    Taken   the system has it
    Down    the system is not there: no attempt is used up, and all of it rests, longer each time
    Failed  it did not take this event: an attempt is used up, and only this referral waits, longer each time; after the
            last attempt it is a dead letter

At least once, with a stable id.
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
SLOW_S = 60.0  # so long one event may be at the endpoint before somebody is told
LOOK_S, LONGEST_LOOK_S, SLOWER = 0.005, 0.1, 1.25  # while something is at work; less and less while it hangs


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The agency's system has the event."""


@dataclass(frozen=True, slots=True)
class Down:
    """The agency's system could not be asked. `why` is a short word of ours."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The agency's system did not take this event. `why` is a short word of ours, or where its code failed."""

    why: str


Answer = HandedOver | Down | Failed
Endpoint = Callable[[Received], Answer]
"""Where events are handed over. It ends within a bounded time, and whatever it raises counts as `Failed`."""

Handler = Callable[[Received], None]
"""The agency's own Python code. It has taken the event when it returns. Raising `NotNow` means that nothing can be
taken now, raising anything else that this event could not be. It may be called again with an `event_id` that it has
seen, and must not take it twice."""


class NotNow(Exception):
    """What a handler raises while the agency's system is down. It uses up no attempt."""


def endpoint_of(handler: Handler) -> Endpoint:
    def ask(received: Received) -> Answer:
        handler(received)
        return HandedOver()

    return ask


@dataclass(frozen=True, slots=True)
class _AtWork:
    """An event that the endpoint has been given, and since when it has it."""

    received: Received
    future: Future[Answer]
    since: float = field(default_factory=time.monotonic)


class _Rest:
    """Whether the endpoint rests. The pauses grow as long as it answers nothing, and one event alone ends a rest."""

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
        """Rests from now on; when it is over. What was on its way when the rest began makes it no longer."""
        if self._until is None or now >= self._until:
            self._rests += 1
            self._pause = self._backoff.pause(self._rests)
            self._until = now + self._pause
        return self._until

    def end(self) -> None:
        self._until, self._rests = None, 0


class Handover:
    """One thread runs `tick`; the endpoint is asked from a few others."""

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
        """One round; returns how many seconds may pass before the next one unless something happens."""
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
        """Tells whether there was an answer."""
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
        """A handler may take as long as it likes; one that never returns has to be seen by somebody."""
        for each in self._busy.values():
            seconds = time.monotonic() - each.since
            if seconds > SLOW_S and self._seldom("slow", str(each.received.cursor)):
                self._log.warning("handover_slow", cursor=each.received.cursor, seconds=round(seconds))

    def _write_down(self, tx: Tx, finished: Sequence[tuple[Received, Answer]]) -> list[int]:
        """What follows from the answers; the cursors of events that have had their last attempt."""
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
        """Waits for hand-overs that are at work."""
        self._pool.shutdown(wait=True)
        self._collect()


def _answer(future: Future[Answer]) -> Answer:
    error = future.exception()
    if error is None:
        return future.result()
    return Down("not now") if isinstance(error, NotNow) else Failed(defect(error))
