"""How far the agencies' services are behind in reading, by what Kafka tells. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from referral_bus.broker.lag import Extent, Partition
from referral_bus.broker.protocols import Position, Topic

GroupName = str


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one service in one topic. `records`: not read yet. `seconds`: age of the first of them; None where
    Kafka could not tell. `committed`: sum of the committed offsets of all partitions."""

    group: GroupName
    topic: str
    agency: str
    records: int
    seconds: float | None
    committed: int


@dataclass(frozen=True, slots=True)
class Look:
    """What Kafka told at one moment. `committed`, asked for before `extents`, is None where Kafka did not tell it."""

    at: datetime
    topics: Mapping[str, Topic] = field(default_factory=dict)
    committed: Mapping[GroupName, Mapping[Partition, int]] | None = field(default_factory=dict)
    extents: Mapping[Partition, Extent] = field(default_factory=dict)

    def committed_by(self, group: GroupName) -> Mapping[Partition, int]:
        return (self.committed or {}).get(group, {})

    def next_unread(self, group: GroupName, place: Partition) -> Position:
        """The position from which a group would read on: its committed offset, or the beginning of the partition where
        it has committed none, or one outside of what the partition holds."""
        extent = self.extents[place]
        offset = self.committed_by(group).get(place, extent.begin)
        within = offset if extent.begin <= offset <= extent.end else extent.begin
        return Position(place[0], self.topics[place[0]].topic_id, place[1], within)

    def unread(self, position: Position) -> int:
        return max(0, self.extents[position.topic, position.partition].end - position.offset)


def groups_and_topics(look: Look, inboxes: Mapping[GroupName, str]) -> Iterator[tuple[GroupName, str, list[Partition]]]:
    """Each group with its inbox, and with every other topic in `look` in which it has committed an offset; and the
    partitions of that topic whose extent is known."""
    for group, inbox in inboxes.items():
        for topic in sorted({inbox, *(name for name, _ in look.committed_by(group))} & set(look.topics)):
            places = [(topic, number) for number in range(look.topics[topic].partitions)]
            there = [place for place in places if place in look.extents]
            if there:
                yield group, topic, there


def waiting_since_before(look: Look, before: Look | None, inboxes: Mapping[GroupName, str]) -> Collection[Position]:
    """The first unread records that were there already at the look before. Only their age must be asked of Kafka."""
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
    """The lag of every group in every topic that it reads. `groups`: code and inbox of each group's agency. `appended`:
    when the records of `waiting_since_before` were appended, by Kafka's clock."""
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
    """Whether a record came after the look before. Then it is younger than that look, by our own clock."""
    if before is None or position.topic not in before.topics:
        return False
    same = before.topics[position.topic].topic_id == position.topic_id
    extent = before.extents.get((position.topic, position.partition))
    return same and extent is not None and position.offset >= extent.end
