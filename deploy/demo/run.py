"""`referral-bus demo`: a small federation on this machine, from nothing to closed referrals and back to nothing."""

import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.compare import Comparison, compare, read_ledger
from deploy.demo.federation import example_template
from deploy.demo.monitored import draw_flows, flows, totals
from deploy.demo.narrator import Narrator, wait_for
from deploy.demo.people import synthetic_request
from deploy.demo.stories import STORIES
from deploy.demo.world import World, world
from referral_bus.federation.register import read_register
from referral_bus.ledger.looking import statuses
from schemas.lifecycle import ENDED
from schemas.referral_request import ReferralRequest

FIRST = ("family-women", "public-health")  # what the first story needs is started first
MANY = 300
CLOSED_WITHIN_S = 120.0
SEED = 20261123


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def case_agencies() -> tuple[str, ...]:
    """Those of the example register that receive referrals; the first story's come first."""
    listed = [agency.code for agency in read_register(example_template()).content.agencies if agency.receives_referrals]
    return (*FIRST, *(code for code in listed if code not in FIRST))


def run_demo(keep: bool = False) -> int:
    """Exit code 0 if nothing was lost, twice or out of order, else 1."""
    random_source, codes = random.Random(SEED), case_agencies()
    began = time.monotonic()
    say("Referral Bus: a demonstration with synthetic people only. Ctrl-C ends it at any time.")
    with _stopped_by_signals(), world(codes, say, keep) as here:
        here.start_services(FIRST)
        here.wait_until_ready(FIRST)
        here.start_services(codes[len(FIRST) :])
        here.start_monitor()
        with Narrator(here.desks, say) as narrator:
            STORIES[0](here, random_source, narrator.say)
            here.wait_until_ready(codes)
            for tell in STORIES[1:]:
                tell(here, random_source, narrator.say)
        _many(here, codes, random_source)
        result = _compared(here)
        agrees = _monitored(here, result)
        if keep:
            _tell_what_is_kept(here)
    say(f"{'It runs on' if keep else 'Everything is stopped'}. {time.monotonic() - began:.0f} s in all.")
    say(result.line)
    return 0 if result.kept and agrees else 1


def _monitored(here: World, result: Comparison) -> bool:
    """Draws what the flow monitor saw; tells whether it has counted what stands in the ledgers."""
    wanted = (result.referrals, result.closed)
    agrees = wait_for(lambda: totals(flows(here.monitor)) == wanted, 20.0, every_s=0.5)
    rows = flows(here.monitor)
    draw_flows(rows)
    if not agrees:
        say(f"The monitor has counted {totals(rows)} referrals and closed ones, the ledgers {wanted}.")
    return agrees


def _many(here: World, codes: Sequence[str], random_source: random.Random) -> None:
    """Several hundred referrals among all of them, answered by scripted clerks."""
    say(f"Now {MANY} referrals among the {len(codes)} case agencies, answered by scripted clerks.")
    requests: dict[str, list[ReferralRequest]] = {code: [] for code in codes}
    for sender, recipient, service in _pairs(here, codes, random_source):
        now, need = here.desks[sender].clock(), "Synthetic: one of many."
        requests[sender].append(synthetic_request(random_source, recipient, service, need, "routine", now))
    sent = {code: [each.referral_id for each in here.desks[code].publish(some)] for code, some in requests.items()}
    columns = (TextColumn("  closed"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as progress:
        task = progress.add_task("closed", total=MANY)

        def all_closed() -> bool:
            closed = sum(_closed(here, code, ids) for code, ids in sent.items())
            progress.update(task, completed=closed)
            return closed == MANY

        wait_for(all_closed, CLOSED_WITHIN_S, every_s=0.3)


def _pairs(here: World, codes: Sequence[str], random_source: random.Random) -> Iterator[tuple[str, str, str]]:
    """Agreements in force, with a service that the recipient offers."""
    now = here.desks[codes[0]].clock()
    pairs = [
        (agreement.sender, agreement.recipient)
        for agreement in here.register.content.agreements
        if agreement.until > now and _services(here, agreement.recipient)
    ]
    for _ in range(MANY):
        sender, recipient = random_source.choice(pairs)
        yield sender, recipient, random_source.choice(_services(here, recipient))


def _services(here: World, code: str) -> tuple[str, ...]:
    agency = here.register.agency(code)
    return agency.services if agency else ()


def _closed(here: World, code: str, ids: list[UUID]) -> int:
    with here.desks[code].ledger.read() as tx:
        now = {key.referral_id: status for key, status in statuses(tx).items()}
    return sum(1 for referral_id in ids if now[referral_id] in ENDED)


def _compared(here: World) -> Comparison:
    """Once every event has come to rest; what has not by then is shown as lost."""

    def settled() -> bool:
        return not compare({code: read_ledger(desk.ledger) for code, desk in here.desks.items()}).lost

    wait_for(settled, 20.0, every_s=0.5)
    return compare({code: read_ledger(desk.ledger) for code, desk in here.desks.items()})


def _tell_what_is_kept(here: World) -> None:
    home = here.home("public-health")
    for line in (
        "Kept for you to look at:",
        f"  referral-bus inbox --overdue --home {here.home('child-adaptation')}",
        f"  referral-bus inbox --home {home}",
        f"  referral-bus agencies --home {home}",
        f"  referral-bus agency status --home {home}",
        f"  referral-bus monitor status --home {here.home('monitor')}",
        f"  referral-bus demo --stop {here.folder}     ends it",
    ):
        say(line)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as cleanly as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C too: in the background it would be ignored
    before = {number: signal.signal(number, interrupt) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
