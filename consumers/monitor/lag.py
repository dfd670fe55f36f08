"""How far agencies' services are behind, from what Kafka tells. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from referral_bus.broker.lag import Extent, Partition
from referral_bus.broker.protocols import Position, Topic

GroupName = str


@dataclass(frozen=True, slots=True)
class Lag:
    """One service in one topic. `seconds`: age of the first unread record, None if Kafka could not tell."""

    group: GroupName
    topic: str
    agency: str
    records: int
    seconds: float | None
    committed: int


@dataclass(frozen=True, slots=True)
class Look:
    """What Kafka told at one moment. `committed` was asked for before the extents; None where Kafka did not tell."""

    at: datetime
    topics: Mapping[str, Topic] = field(default_factory=dict)
    committed: Mapping[GroupName, Mapping[Partition, int]] | None = field(default_factory=dict)
    extents: Mapping[Partition, Extent] = field(default_factory=dict)

    def committed_by(self, group: GroupName) -> Mapping[Partition, int]:
        return (self.committed or {}).get(group, {})

    def next_unread(self, group: GroupName, place: Partition) -> Position:
        """Whoever has committed nothing begins at the beginning, as does whoever is before or beyond what is there."""
        extent = self.extents[place]
        offset = self.committed_by(group).get(place, extent.begin)
        within = offset if extent.begin <= offset <= extent.end else extent.begin
        return Position(place[0], self.topics[place[0]].topic_id, place[1], within)

    def unread(self, position: Position) -> int:
        return max(0, self.extents[position.topic, position.partition].end - position.offset)


def groups_and_topics(look: Look, inboxes: Mapping[GroupName, str]) -> Iterator[tuple[GroupName, str, list[Partition]]]:
    """Each group in its inbox, and in every other topic of ours in which it has committed anything."""
    for group, inbox in inboxes.items():
        for topic in sorted({inbox, *(name for name, _ in look.committed_by(group))} & set(look.topics)):
            places = [(topic, number) for number in range(look.topics[topic].partitions)]
            there = [place for place in places if place in look.extents]
            if there:
                yield group, topic, there


def waiting_since_before(look: Look, before: Look | None, inboxes: Mapping[GroupName, str]) -> Collection[Position]:
    """The first unread records that were there already when we looked before: only of those the age matters."""
    found = {
        position
        for group, _, places in groups_and_topics(look, inboxes)
        for position in (look.next_unread(group, place) for place in places)
        if look.unread(position)
    }
    return [position for position in found if not _since(position, before)]


def lags(
    look: Look, before: Look | None, appended: Mapping[Position, datetime], groups: Mapping[GroupName, tuple[str, str]]
) -> list[Lag]:
    """`groups`: the code and the inbox of each group's agency."""
    found = []
    inboxes = {group: inbox for group, (_, inbox) in groups.items()}
    for group, topic, places in groups_and_topics(look, inboxes):
        positions = [look.next_unread(group, place) for place in places]
        committed = sum(look.committed_by(group).get(place, 0) for place in places)
        unread = [position for position in positions if look.unread(position)]
        records = sum(look.unread(position) for position in unread)
        found.append(Lag(group, topic, groups[group][0], records, _age(look, before, appended, unread), committed))
    return found


def _age(
    look: Look, before: Look | None, appended: Mapping[Position, datetime], unread: Collection[Position]
) -> float | None:
    if not unread:
        return 0.0
    since = [before.at if before and _since(one, before) else appended.get(one) for one in unread]
    known = [moment for moment in since if moment is not None]
    return max(0.0, (look.at - min(known)).total_seconds()) if known else None


def _since(position: Position, before: Look | None) -> bool:
    """Whether a record came after we looked before. Then it is younger than that, by our own clock."""
    if before is None or position.topic not in before.topics:
        return False
    same = before.topics[position.topic].topic_id == position.topic_id
    extent = before.extents.get((position.topic, position.partition))
    return same and extent is not None and position.offset >= extent.end
