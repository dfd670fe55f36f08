"""`referral-bus demo`: builds a small federation on this machine, tells the stories, compares all ledgers, and removes
everything again."""

import random
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from deploy.demo.compare import Comparison, left_open, read_ledgers
from deploy.demo.faults import FAULTS
from deploy.demo.federation import example_template
from deploy.demo.many import refer_many, settled, watch_closing
from deploy.demo.monitored import draw_flows, flows, totals
from deploy.demo.narrator import Narrator, wait_for
from deploy.demo.stories import STORIES, UNANSWERED_FROM, Tell
from deploy.demo.withdrawal import withdrawn
from deploy.demo.world import World, world
from referral_bus.federation.register import read_register
from schemas.events import ReferralKey

FIRST = ("family-women", "public-health")  # the agencies of the first story are started first
MANY = 200
SEED = 20261123


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def case_agencies() -> tuple[str, ...]:
    """The codes of the agencies in the example register that receive referrals; those of the first story come first."""
    listed = [agency.code for agency in read_register(example_template()).content.agencies if agency.receives_referrals]
    return (*FIRST, *(code for code in listed if code not in FIRST))


def run_demo(keep: bool = False) -> int:
    """Runs the demonstration. Returns exit code 0 if no event was lost, twice or out of order, and the monitor counted
    the same; else 1."""
    random_source, codes = random.Random(SEED), case_agencies()
    began = time.monotonic()
    say("Referral Bus: a demonstration with synthetic people only. Ctrl-C ends it at any time.")
    with _stopped_by_signals(), world(codes, say, keep) as here:
        here.start_services(FIRST)
        here.wait_until_ready(FIRST)
        here.start_services(codes[len(FIRST) :])
        here.start_monitor()
        _tell(here, STORIES[:1], random_source)
        here.wait_until_ready(codes)
        _tell(here, STORIES[1:], random_source)
        for tell in FAULTS:
            tell(here, random_source, say)
        _tell(here, (withdrawn,), random_source)
        say(f"Now {MANY} referrals among the {len(codes)} case agencies, answered by scripted clerks.")
        watch_closing(here, refer_many(here, codes, MANY, random_source))
        result = settled(here)
        agrees = _monitored(here, result)
        counted = last_line(result, left_open(read_ledgers(here.clients)))
        if keep:
            _tell_what_is_kept(here)
    say(f"{'It runs on' if keep else 'Everything is stopped'}. {time.monotonic() - began:.0f} s in all.")
    say(counted)
    return 0 if result.kept and agrees else 1


def last_line(result: Comparison, open_ones: Collection[ReferralKey]) -> str:
    """The comparison's line. Where the only open referral is that which story (c) leaves open, the line says so."""
    as_told = [key.sender for key in open_ones] == [UNANSWERED_FROM]
    return f"{result.line} (the open one is that of story (c), unanswered on purpose)" if as_told else result.line


def _tell(here: World, stories: Sequence[Tell], random_source: random.Random) -> None:
    """Tells stories, with one line for each event that its addressee has stored."""
    with Narrator({code: client.ledger for code, client in here.clients.items()}, say) as narrator:
        for tell in stories:
            tell(here, random_source, narrator.say)


def _monitored(here: World, result: Comparison) -> bool:
    """Draws what the flow monitor saw; returns whether its counts are those of the ledgers."""
    wanted = (result.referrals, result.closed)
    agrees = wait_for(lambda: totals(flows(here.monitor)) == wanted, 20.0, every_s=0.5)
    rows = flows(here.monitor)
    draw_flows(rows)
    if not agrees:
        say(f"The monitor has counted {totals(rows)} referrals and closed ones, the ledgers {wanted}.")
    return agrees


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
    """Makes SIGTERM and SIGHUP end the demonstration as cleanly as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGINT too: a background process ignores it
    before = {number: signal.signal(number, interrupt) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
