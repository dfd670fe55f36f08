"""Starts many referrals at once among all agencies, which scripted clerks answer, and waits for their end."""

import random
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.compare import Comparison, about, compare, read_ledgers
from deploy.demo.narrator import wait_for
from deploy.demo.people import synthetic_request
from deploy.demo.world import World
from referral_bus.clock import system_clock
from referral_bus.ledger.queries import statuses
from schemas.lifecycle import ENDED
from schemas.referral_request import ReferralRequest

CLOSED_WITHIN_S = 120.0
SETTLED_WITHIN_S = 20.0


def refer_many(world: World, senders: Collection[str], count: int, random_source: random.Random) -> set[UUID]:
    """Starts `count` routine referrals from `senders`, each to an agency that the sender has an agreement with. Returns
    their ids."""
    requests: dict[str, list[ReferralRequest]] = {code: [] for code in senders}
    for sender, recipient, service in _ways(world, senders, count, random_source):
        now, need = world.clients[sender].clock(), "Synthetic: one of many."
        requests[sender].append(synthetic_request(random_source, recipient, service, need, "routine", now))
    return {each.referral_id for code, some in requests.items() for each in world.clients[code].publish(some)}


def watch_closing(world: World, ids: Collection[UUID]) -> None:
    """Draws a progress bar of the closed referrals, until all are closed or `CLOSED_WITHIN_S` has passed."""
    columns = (TextColumn("  closed"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as progress:
        task = progress.add_task("closed", total=len(ids))

        def all_closed() -> bool:
            closed = count_closed(world, ids)
            progress.update(task, completed=closed)
            return closed == len(ids)

        wait_for(all_closed, CLOSED_WITHIN_S, every_s=0.3)


def count_closed(world: World, ids: Collection[UUID]) -> int:
    """The number of these referrals that have ended, by the ledgers of their senders."""
    closed = 0
    for code, client in world.clients.items():
        with client.ledger.read() as tx:
            own = ((key, status) for key, status in statuses(tx).items() if key.sender == code)
            closed += sum(1 for key, status in own if key.referral_id in ids and status in ENDED)
    return closed


def compared(world: World, ids: Collection[UUID] | None = None) -> Comparison:
    """Compares all ledgers as they are now; with `ids`, only what they hold about these referrals."""
    ledgers = read_ledgers(world.clients)
    return compare(ledgers if ids is None else about(ids, ledgers))


def settled(world: World, ids: Collection[UUID] | None = None) -> Comparison:
    """As `compared`, after waiting until no event is missing, for at most `SETTLED_WITHIN_S`. Events that are missing
    then count as lost."""
    wait_for(lambda: not compared(world, ids).lost, SETTLED_WITHIN_S, every_s=0.5)
    return compared(world, ids)


def _ways(
    world: World, senders: Collection[str], count: int, random_source: random.Random
) -> Iterator[tuple[str, str, str]]:
    """Random triples of sender, recipient and service: of an agreement in force, with a service of the recipient."""
    now = system_clock()
    pairs = [
        (agreement.sender, agreement.recipient)
        for agreement in world.register.content.agreements
        if agreement.until > now and agreement.sender in senders and agreement.recipient in world.clients
    ]
    able = [(sender, recipient) for sender, recipient in pairs if _services(world, recipient)]
    for _ in range(count):
        sender, recipient = random_source.choice(able)
        yield sender, recipient, random_source.choice(_services(world, recipient))


def _services(world: World, code: str) -> Sequence[str]:
    agency = world.register.agency(code)
    return agency.services if agency else ()
