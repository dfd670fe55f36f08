"""Hand-over: what came in goes to the agency's own system, in order for each referral, different referrals in parallel.

At least once, with a stable id. A failing hand-over blocks only its own referral, and is tried again after a pause.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from referral_bus.clock import Clock
from referral_bus.ledger import handing_over
from referral_bus.ledger.handing_over import Received
from referral_bus.ledger.store import Ledger
from referral_bus.logs import Log, defect
from schemas.events import ReferralKey

Handler = Callable[[Received], None]
"""The agency's own Python code. It has taken the event when it returns; raising means: try again later. It may be
called again with an `event_id` that it has seen, and must not take it twice."""

IDLE_S = 0.5


class Handover:
    """One thread runs `tick`; the handler is called from a few others."""

    def __init__(
        self, ledger: Ledger, handler: Handler, clock: Clock, retry_after: timedelta, workers: int, log: Log
    ) -> None:
        self._ledger = ledger
        self._handler = handler
        self._clock = clock
        self._retry_after = retry_after
        self._workers = workers
        self._log = log
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="handover")
        self._busy: dict[ReferralKey, tuple[Received, Future[None]]] = {}

    def tick(self) -> float:
        """One round; returns how many seconds may pass before the next one unless something happens."""
        self._collect()
        room = self._workers - len(self._busy)
        if room > 0:
            with self._ledger.read() as tx:
                found = handing_over.due(tx, self._clock(), self._busy.keys(), room)
            for received in found:
                self._busy[received.referral] = (received, self._pool.submit(self._handler, received))
        return 0.005 if self._busy else IDLE_S

    def _collect(self) -> None:
        finished = [(received, future) for received, future in self._busy.values() if future.done()]
        if not finished:
            return
        now = self._clock()
        with self._ledger.write() as tx:
            for received, future in finished:
                error = future.exception()
                if error is None:
                    handing_over.handed_over(tx, [received.cursor], now)
                else:
                    handing_over.failed(tx, received.cursor, now + self._retry_after)
                    self._log.warning("handover_failed", cursor=received.cursor, where=defect(error))
        for received, _ in finished:
            del self._busy[received.referral]

    def close(self) -> None:
        """Waits for handlers that are at work."""
        self._pool.shutdown(wait=True)
        self._collect()
