"""Two stories of faults: a service that is killed while it takes events in, and a Kafka that loses all its data."""

import random
from collections.abc import Callable, Collection
from uuid import UUID

from deploy.demo.many import refer_many, settled, watch_closing
from deploy.demo.narrator import wait_for
from deploy.demo.stories import Tell
from deploy.demo.story import HEARD_WITHIN_S, Story
from deploy.demo.world import World
from referral_bus.ledger.outbox import FINAL
from referral_bus.ledger.queries import event_rows, referral_event_state
from schemas.events import ReferralKey
from schemas.lifecycle import Status

CHILDREN = 200  # with as many cancellations: more than the service takes in at once
UNDER_WAY = 100


def killed(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    story, to = Story(world, random_source, "family-women", say), "intilish"
    say(f"(h) {to}'s service is off; family-women refers {CHILDREN} children to its made-up camp, and cancels each.")
    world.stop_service(to)
    ids = story.send_many(to, "social-mediation", "Synthetic: a place in a made-up camp.", CHILDREN)
    for referral in ids:
        world.clients[story.sender].move("cancel", str(referral), {})
    story.until_sent(ids[-1])
    world.start_services([to])
    wait_for(lambda: _written_by(story.sender, to, world, ids) > 0, HEARD_WITHIN_S, every_s=0.002)
    world.kill_service(to)
    stored, written = (_written_by(story.sender, agency, world, ids) for agency in (to, story.sender))
    say(f"    It starts, and is killed (kill -9) while it takes them in: after {stored} of {written} events.")
    world.start_services([to])
    for referral in ids:
        story.until_status(referral, Status.CANCELLED)
    say(f"    Started again: {settled(world, ids).line}.")
    say("    An event and how far it has read are stored together or not at all: none is skipped, none repeated.")


def wiped(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    sender = "family-women"
    ids = refer_many(world, [sender], UNDER_WAY // 2, random_source)
    say(f"(i) {UNDER_WAY} referrals of {sender} are under way when Kafka loses all it has.")
    wait_for(lambda: _without_receipt(world, sender, ids) < len(ids), HEARD_WITHIN_S)
    world.kill_kafka()
    ids |= refer_many(world, [sender], UNDER_WAY // 2, random_source)  # the first half may all have been stored in time
    say(f"    Killed: {_without_receipt(world, sender, ids)} of them have no receipt yet. Its data are deleted.")
    world.wipe_kafka(lambda _: None)
    say("    It is back, and empty; its topics are made again. Every service sees that they are not the old ones.")
    watch_closing(world, ids)
    say(f"    At both ends of each: {settled(world, ids).line}.")
    say("    What has no signed receipt stays in its sender's outbox, and is sent again: Kafka is only the road.")


def _written_by(writer: str, at: str, world: World, ids: Collection[UUID]) -> int:
    """The number of events about these referrals that `writer` wrote and the ledger of agency `at` holds."""
    with world.clients[at].ledger.read() as tx:
        return sum(1 for row in event_rows(tx) if row.writer == writer and row.referral.referral_id in ids)


def _without_receipt(world: World, sender: str, ids: Collection[UUID]) -> int:
    """The number of these referrals for which the sender has no final receipt yet."""
    with world.clients[sender].ledger.read() as tx:
        states = [referral_event_state(tx, ReferralKey(sender, referral)) for referral in ids]
    return sum(1 for each in states if each is not None and each.state not in FINAL)


FAULTS: tuple[Tell, ...] = (killed, wiped)
