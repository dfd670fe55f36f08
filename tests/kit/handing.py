"""Hand-over of what the bench's RECIPIENT has stored, to an endpoint that a test makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from consumers.agency.handover import IDLE_S, Endpoint, Handler, Handover, endpoint_of
from referral_bus.ledger.handovers import Retries
from referral_bus.logs import make_log
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT
from tests.kit.waiting import wait_until

PAUSE = timedelta(seconds=10)
ATTEMPTS = 3


@contextmanager
def handover_to(bench: Bench, endpoint: Endpoint, workers: int = 4, attempts: int = ATTEMPTS) -> Iterator[Handover]:
    """Closed at the end."""
    made = Handover(
        bench[RECIPIENT].ledger,
        endpoint,
        bench[RECIPIENT].writing,
        Retries(attempts, PAUSE),
        workers,
        bench[RECIPIENT].metrics,
        make_log(bench.log_lines, agency=RECIPIENT),
    )
    try:
        yield made
    finally:
        made.close()


@contextmanager
def handover(bench: Bench, handler: Handler, workers: int = 4) -> Iterator[Handover]:
    """To a Python handler."""
    with handover_to(bench, endpoint_of(handler), workers) as made:
        yield made


def until_quiet(made: Handover) -> None:
    """Until nothing is due and nobody is at work."""
    wait_until(lambda: made.tick() >= IDLE_S)
