"""The stories: what people at the agencies say to each other. Each step waits until the other side has heard it."""

import random
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from deploy.demo.narrator import wait_for
from deploy.demo.people import synthetic_request
from deploy.demo.world import World
from referral_bus.errors import Reason, Unreachable
from referral_bus.ledger.referrals import find

HEARD_WITHIN_S = 30.0


class Story:
    """One referral told step by step."""

    def __init__(self, world: World, random_source: random.Random, sender: str, say: Callable[[str], None]) -> None:
        self._world = world
        self._random = random_source
        self._sender = sender
        self._say = say

    def refer(
        self, recipient: str, service: str, need: str, priority: str = "urgent", replaces: UUID | None = None
    ) -> UUID:
        desk = self._world.desks[self._sender]
        request = synthetic_request(self._random, recipient, service, need, priority, desk.clock(), replaces)
        referral_id = desk.publish([request])[0].referral_id
        self._until(lambda: self._status(recipient, referral_id) is not None)
        return referral_id

    def answer(self, recipient: str, referral_id: UUID, verb: str, **detail: object) -> None:
        changed = self._world.desks[recipient].move(verb, str(referral_id), detail)
        events = self._events(recipient, referral_id)
        self._until(
            lambda: (
                self._status(self._sender, referral_id) == changed.status
                and self._events(self._sender, referral_id) >= events
            )
        )

    def _status(self, agency: str, referral_id: UUID) -> str | None:
        with self._world.desks[agency].ledger.read() as tx:
            found = find(tx, str(referral_id))
        return found[0].status if found else None

    def _events(self, agency: str, referral_id: UUID) -> int:
        return len(self._world.desks[agency].case(str(referral_id)).steps)

    def _until(self, condition: Callable[[], bool]) -> None:
        if not wait_for(condition, HEARD_WITHIN_S):
            raise Unreachable(Reason.KAFKA_FAILED, "the other side did not hear it in time; see the services' logs")


def psychological_support(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    """(a) Seen, accepted, appointment, started, completed."""
    say("(a) family-women refers a woman to public-health for psychological support, urgent.")
    story = Story(world, random_source, "family-women", say)
    to = "public-health"
    referral = story.refer(to, "mhpss", "Synthetic: sleeps badly and asks for somebody to talk to.")
    story.answer(to, referral, "see")
    story.answer(to, referral, "accept")
    appointment = {"time": world.desks[to].clock() + timedelta(days=2), "place": "Test clinic, room 4"}
    story.answer(to, referral, "note", business_status="appointment-scheduled", appointment=appointment)
    story.answer(to, referral, "start")
    story.answer(to, referral, "complete", outcome="provided")


def legal_aid(world: World, random_source: random.Random, say: Callable[[str], None]) -> None:
    """(b) Rejected with a suggestion; a new referral that replaces it goes there."""
    say("(b) barqaror-hayot refers to law-university; it is not eligible there, and justice is suggested.")
    story = Story(world, random_source, "barqaror-hayot", say)
    first = story.refer("law-university", "legal-aid", "Synthetic: needs help with inheritance papers.")
    story.answer("law-university", first, "see")
    story.answer("law-university", first, "reject", outcome_reason="not-eligible", suggested_agency="justice")
    say("    The person agrees to justice too: a new referral, with a new consent, replaces the first.")
    need = "Synthetic: needs help with inheritance papers; the legal clinic could not take it."
    second = story.refer("justice", "legal-aid", need, replaces=first)
    story.answer("justice", second, "accept")
    story.answer("justice", second, "start")
    story.answer("justice", second, "complete", outcome="provided")
