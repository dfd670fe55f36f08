"""The steps of a story: people at agencies say something, and the story continues once the other side has it."""

import random
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from deploy.app.views.why import why
from deploy.demo.narrator import wait_for
from deploy.demo.people import synthetic_request
from deploy.demo.world import World
from referral_bus.errors import Reason, Unreachable
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.referrals import Referral, find
from referral_bus.stages import Stage

HEARD_WITHIN_S = 30.0
ON_ITS_WAY = frozenset({Stage.NOT_STORED, Stage.WAITING_FOR_KEY})


class Story:
    """The steps of one story. `sender`: the agency that starts its referrals."""

    def __init__(self, world: World, random_source: random.Random, sender: str, say: Callable[[str], None]) -> None:
        self.world = world
        self.sender = sender
        self.say = say
        self._random = random_source

    def send(
        self,
        recipient: str,
        service: str,
        need: str,
        *,
        priority: str = "urgent",
        replaces: UUID | None = None,
        within: timedelta | None = None,
    ) -> UUID:
        """Starts a referral and returns its id at once. `within`: sets both deadlines to so long from now."""
        client = self.world.clients[self.sender]
        request = synthetic_request(self._random, recipient, service, need, priority, client.clock(), replaces)
        if within is not None:
            due = client.clock() + within
            request = request.model_copy(update={"acknowledge_by": due, "respond_by": due})
        return client.publish([request])[0].referral_id

    def send_many(self, recipient: str, service: str, need: str, count: int) -> list[UUID]:
        """Starts `count` urgent referrals, which clerks leave to people, and returns their ids at once."""
        client = self.world.clients[self.sender]
        requests = [
            synthetic_request(self._random, recipient, service, need, "urgent", client.clock()) for _ in range(count)
        ]
        return [each.referral_id for each in client.publish(requests)]

    def refer(self, recipient: str, service: str, need: str, *, replaces: UUID | None = None) -> UUID:
        """Starts a referral and waits until the sender knows that it is stored."""
        referral_id = self.send(recipient, service, need, replaces=replaces)
        self.until_stored(referral_id)
        return referral_id

    def tell(self, agency: str, referral_id: UUID, verb: str, **detail: object) -> None:
        """Says a verb, and waits until the other side has heard it and both show the same status."""
        referral = self.world.clients[agency].move(verb, str(referral_id), detail)
        events = self._events(agency, referral_id)
        other = referral.peer
        self.until(
            lambda: (
                self._events(other, referral_id) >= events
                and self.status(other, referral_id) == self.status(agency, referral_id)
            )
        )

    def until_stored(self, referral_id: UUID) -> None:
        """Waits until the sender has the recipient's receipt."""
        client = self.world.clients[self.sender]
        self.until(lambda: client.case(str(referral_id)).standing.stage not in ON_ITS_WAY)

    def until_sent(self, referral_id: UUID) -> None:
        """Waits until the newest event of the sender about it is in Kafka."""
        client = self.world.clients[self.sender]
        self.until(lambda: client.case(str(referral_id)).steps[-1].state is OutboxState.SENT)

    def until_status(self, referral_id: UUID, status: str) -> None:
        self.until(lambda: self.status(self.sender, referral_id) == status)

    def why(self, referral_id: UUID) -> None:
        """Prints the sentence that `referral-bus why` says at the sender; in UTC, as all times in the demonstration."""
        client = self.world.clients[self.sender]
        case = client.case(str(referral_id))
        sentence = why(case, client.register, self.sender, client.clock(), "UTC")
        self.say(f"    why? {sentence}")

    def status(self, agency: str, referral_id: UUID) -> str | None:
        found = self._referral(agency, referral_id)
        return found.status if found else None

    def until(self, condition: Callable[[], bool]) -> None:
        if not wait_for(condition, HEARD_WITHIN_S):
            raise Unreachable(Reason.KAFKA_FAILED, "the other side did not hear it in time; see the services' logs")

    def _referral(self, agency: str, referral_id: UUID) -> Referral | None:
        with self.world.clients[agency].ledger.read() as tx:
            found = find(tx, str(referral_id))
        return found[0] if found else None

    def _events(self, agency: str, referral_id: UUID) -> int:
        return len(self.world.clients[agency].case(str(referral_id)).steps)
