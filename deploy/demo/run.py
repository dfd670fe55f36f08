"""`referral-bus demo`: a small federation on this machine, from nothing to closed referrals and back to nothing."""

import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.compare import Comparison, compare, read_ledger
from deploy.demo.narrator import Narrator, wait_for
from deploy.demo.people import synthetic_request
from deploy.demo.stories import legal_aid, psychological_support
from deploy.demo.world import World, world
from referral_bus.ledger.looking import statuses
from schemas.lifecycle import ENDED

FIRST = ("family-women", "public-health")  # what the first story needs is started first
CODES = (*FIRST, "barqaror-hayot", "law-university", "justice")
MANY = 100
CLOSED_WITHIN_S = 120.0
SEED = 20261123


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_demo() -> int:
    """Exit code 0 if nothing was lost, twice or out of order and everything was closed, else 1."""
    random_source = random.Random(SEED)
    began = time.monotonic()
    say("Referral Bus: a demonstration with synthetic people only. Ctrl-C ends it at any time.")
    with _stopped_by_signals(), world(CODES, say) as here:
        here.start_services(FIRST)
        here.wait_until_ready(FIRST)
        here.start_services([code for code in CODES if code not in FIRST])
        with Narrator(here.desks, say):
            psychological_support(here, random_source, say)
            here.wait_until_ready(CODES)
            legal_aid(here, random_source, say)
        _many(here, random_source)
        result = _compared(here)
    say(f"Everything is stopped. {time.monotonic() - began:.0f} s in all.")
    say(result.line)
    return 0 if result.kept else 1


def _many(here: World, random_source: random.Random) -> None:
    """A hundred referrals among the five, answered by scripted clerks."""
    say(f"Now {MANY} referrals among the five agencies, answered by scripted clerks.")
    sent: dict[str, list[UUID]] = {code: [] for code in CODES}
    for sender, recipient, service in _pairs(here, random_source):
        desk = here.desks[sender]
        need = "Synthetic: one of many."
        request = synthetic_request(random_source, recipient, service, need, "routine", desk.clock())
        sent[sender].append(desk.publish([request])[0].referral_id)
    columns = (TextColumn("  closed"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as progress:
        task = progress.add_task("closed", total=MANY)

        def all_closed() -> bool:
            closed = sum(_closed(here, code, ids) for code, ids in sent.items())
            progress.update(task, completed=closed)
            return closed == MANY

        wait_for(all_closed, CLOSED_WITHIN_S)


def _pairs(here: World, random_source: random.Random) -> Iterator[tuple[str, str, str]]:
    """Agreements among these agencies, with a service that the recipient offers."""
    pairs = [
        (agreement.sender, agreement.recipient)
        for agreement in here.register.content.agreements
        if agreement.sender in CODES and agreement.recipient in CODES
    ]
    for _ in range(MANY):
        sender, recipient = random_source.choice(pairs)
        agency = here.register.agency(recipient)
        yield sender, recipient, random_source.choice(agency.services if agency else ())


def _closed(here: World, code: str, ids: list[UUID]) -> int:
    with here.desks[code].ledger.read() as tx:
        now = {key.referral_id: status for key, status in statuses(tx).items()}
    return sum(1 for referral_id in ids if now[referral_id] in ENDED)


def _compared(here: World) -> Comparison:
    """Once every event has come to rest; what has not by then is shown as lost."""

    def settled() -> bool:
        return not compare({code: read_ledger(desk.ledger) for code, desk in here.desks.items()}).lost

    wait_for(settled, 20.0)
    return compare({code: read_ledger(desk.ledger) for code, desk in here.desks.items()})


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as cleanly as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
