"""The story of a referral that is withdrawn: what both sides keep of it, and what becomes of a copy that comes
later."""

import hashlib
import random
from collections.abc import Callable
from uuid import UUID

from deploy.app.views.erasure_views import erasure_sentence
from deploy.demo.host import Host
from deploy.demo.story import Story
from deploy.demo.world import World
from referral_bus.broker.kafka import KafkaBroker
from referral_bus.ledger.queries import history
from referral_bus.wire.avro_codec import decode
from referral_bus.wire.raw import RawRecord
from schemas.events import StorageReceipt
from schemas.lifecycle import ErasureReason
from schemas.outcomes import Outcome


def withdrawn(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    say("(j) child-adaptation withdraws a referral to public-health: the person has taken back the consent.")
    story, to = Story(world, random_source, "child-adaptation", say), "public-health"
    referral = story.refer(to, "disability-rehabilitation", "Synthetic: a made-up wheelchair is too small.")
    story.tell(to, referral, "accept")
    inbox, ours = (world.register.inbox(agency) or "" for agency in (to, story.sender))
    broker = KafkaBroker(world.bootstrap, "referral-bus-demo-host")
    try:
        host = Host(broker)
        copy = host.find(inbox, lambda record: record.key == str(referral).encode())
        world.clients[story.sender].withdraw(str(referral), ErasureReason.WITHDRAWN)
        story.until(lambda: _confirmed(world, story.sender, referral))
        say("    Erased at both sides, and confirmed. Now the host of Kafka sends a copy of the referral once more.")
        before = host.end(ours)
        host.replay(copy)
        host.find(ours, lambda record: _says_erased(record, copy), before)
        say(f"    {to}'s service has answered {Outcome.ERASED}: it has a tombstone, and has not opened the copy.")
    finally:
        broker.close()
    for agency in (story.sender, to):
        say(f"    {agency}: {_left(world, agency, referral)}")


def _confirmed(world: World, agency: str, referral: UUID) -> bool:
    """Whether the other side's own system has confirmed the erasure."""
    left = world.clients[agency].erased(str(referral))
    return left is not None and left.peer_confirmed_at is not None


def _says_erased(record: RawRecord, copy: RawRecord) -> bool:
    """Whether a record is a receipt that answers the copy with ERASED."""
    receipt, digest = decode(record.value), hashlib.sha256(copy.value).digest()
    items = receipt.items if isinstance(receipt, StorageReceipt) else ()
    return any(item.value_sha256 == digest and item.outcome == Outcome.ERASED for item in items)


def _left(world: World, agency: str, referral: UUID) -> str:
    """What an agency has left of a referral: a sentence about its tombstone, and how many of its events can be
    opened."""
    client = world.clients[agency]
    left = client.erased(str(referral))
    if left is None:
        return "nothing is erased."
    with client.ledger.read() as tx:
        steps = history(tx, left.key)
    readable = sum(1 for step in steps if step.body is not None)
    in_utc = client.settings.model_copy(update={"time_zone": "UTC"})
    sentence = erasure_sentence(left, client.clock(), in_utc, client.believed)
    return f"{sentence} Of its {len(steps)} events {readable} can be opened."
