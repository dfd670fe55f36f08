"""Finds the referrals that fit a filter, and the tasks that wait for this agency's people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from deploy.app.agency_client import AgencyClient
from referral_bus.ledger import dead_letter_lists, tombstones
from referral_bus.ledger.dead_letter_lists import Choice
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.search import Wanted, Which, count, search
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.stage_queries import stage_of
from referral_bus.stages import Actor, Stage, Standing
from schemas.lifecycle import Side

EVERY = 2**31  # no limit for the query: stage and actor are computed after it
_OUR_PEOPLE = {
    Side.SENDER: (Actor.SENDER_STAFF, Actor.SENDER_OPERATORS),
    Side.RECIPIENT: (Actor.RECIPIENT_STAFF, Actor.RECIPIENT_OPERATORS),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Every field that is set narrows the search. `mine`: this agency's people must act next. Open referrals only,
    except by the stage *ended*, or by `counterpart` or `local_ref` without a field that only open ones have; see
    `which`."""

    counterpart: str | None = None
    stage: Stage | None = None
    local_ref: str | None = None
    priority: str | None = None
    overdue: bool = False
    due_before: datetime | None = None
    mine: bool = False

    @property
    def which(self) -> Which:
        """Whether the search is for open referrals, ended ones, or all."""
        if self.stage is Stage.ENDED:
            return Which.ENDED
        only_open = self.stage is not None or self.overdue or self.due_before is not None or self.mine
        by_name = self.counterpart is not None or self.local_ref is not None
        return Which.ALL if by_name and not only_open else Which.OPEN


@dataclass(frozen=True, slots=True)
class Stood:
    """A referral with its stage, the actor that must act next, and the deadline."""

    referral: Referral
    standing: Standing

    @property
    def ours(self) -> bool:
        """Whether this agency's people must act next."""
        return self.standing.actor in _OUR_PEOPLE[self.referral.side]


@dataclass(frozen=True, slots=True)
class Found:
    """The first referrals that fit, and how many fit in all."""

    referrals: list[Stood]
    total: int


def find(client: AgencyClient, by: Filter, most: int) -> Found:
    """At most `most` referrals that fit the filter, sent and received ones, open ones first, the earliest deadline
    first."""
    judged = by.mine or by.stage not in (None, Stage.ENDED)
    wanted = _wanted(client, by, EVERY if judged else most)
    with client.ledger.read() as tx:
        peers = all_peers(tx)
        fitting = [
            Stood(each, stage_of(tx, each, peers, wanted.limits, client.believed)) for each in search(tx, wanted)
        ]
        total = 0 if judged else count(tx, wanted)
    if not judged:
        return Found(fitting, total)
    fitting = [each for each in fitting if by.stage in (None, each.standing.stage) and (each.ours or not by.mine)]
    return Found(fitting[:most], len(fitting))


def _wanted(client: AgencyClient, by: Filter, most: int) -> Wanted:
    moments = [moment for moment in (client.clock() if by.overdue else None, by.due_before) if moment is not None]
    return Wanted(
        counterpart=by.counterpart,
        local_ref=by.local_ref,
        priority=by.priority,
        due_before=min(moments, default=None),
        which=by.which,
        most=most,
        limits=client.settings.limits,
    )


class TaskKind(StrEnum):
    """The kinds of tasks that are not stages of a referral."""

    QUESTION = "question"
    CANCELLATION = "cancellation"
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class Task:
    """One task that waits for this agency's people, since when and until when, and the referral that it is about."""

    what: TaskKind | Stage
    since: datetime
    due: datetime | None
    about: Referral | Tombstone

    def overdue(self, now: datetime) -> bool:
        return self.due is not None and self.due < now


@dataclass(frozen=True, slots=True)
class Todo:
    """The oldest tasks, the number of all, and the number of dead letters that wait to be retried or discarded."""

    tasks: list[Task]
    total: int
    dead_letters: int


def todo(client: AgencyClient, most: int) -> Todo:
    """The tasks that wait for this agency's people, the oldest first, at most `most`. An erasure is one while the
    agency's own system has not taken it, and once the other side is late with confirming it."""
    tasks = [_of_referral(each) for each in find(client, Filter(mine=True), EVERY).referrals]
    now, limit = client.clock(), client.settings.unconfirmed_after
    with client.ledger.read() as tx:
        unconfirmed = tombstones.list_unconfirmed(tx, EVERY, client.believed)
        tasks += _of_erasures(
            [left for left in unconfirmed if left.waits_for_us or left.peer in client.believed], now, limit
        )
        letters = sum(group.count for group in dead_letter_lists.groups(tx, Choice()))
    tasks.sort(key=lambda task: task.since)
    return Todo(tasks[:most], len(tasks), letters)


def _of_referral(stood: Stood) -> Task:
    referral, standing = stood.referral, stood.standing
    if standing.asked is None:
        return Task(standing.stage, referral.changed_at, standing.due, referral)
    asked_at = referral.question_asked_at if standing.asked == "question" else referral.cancel_requested_at
    return Task(TaskKind(standing.asked), asked_at or referral.changed_at, standing.due, referral)


def _of_erasures(unconfirmed: list[Tombstone], now: datetime, limit: timedelta) -> Iterator[Task]:
    for left in unconfirmed:
        due = left.asked_at + limit
        if left.waits_for_us or due < now:
            yield Task(TaskKind.ERASURE, left.asked_at, due, left)
