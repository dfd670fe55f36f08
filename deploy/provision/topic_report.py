"""Shows a plan of topic changes as lines for people and as rows for JSON."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from deploy.provision.topic_changes import (
    AddPartitions,
    CannotShrink,
    Change,
    ChangeSetting,
    Create,
    RemoveSetting,
    ReplicationDiffers,
    TopicUnlisted,
)

Act = Literal[
    "create", "change_setting", "remove_setting", "add_partitions", "cannot_shrink", "replication_differs", "unlisted"
]


class ChangeRow(TypedDict):
    """One change for JSON. `live` is null where the topic sets nothing yet, `wanted` where the register asks for
    nothing. `needs_person`: `register apply` leaves it to a person."""

    change: Act
    topic: str
    setting: str | None
    live: str | int | None
    wanted: str | int | None
    needs_person: bool


def as_lines(changes: Sequence[Change]) -> tuple[str, ...]:
    """The changes as lines: `+` marks a topic to be made, `~` one to be changed, `!` one that needs a person."""
    return tuple(_line(change) for change in changes) or ("The topics are as the register says.",)


def as_rows(changes: Sequence[Change]) -> tuple[ChangeRow, ...]:
    return tuple(_row(change) for change in changes)


def _line(change: Change) -> str:
    match change:
        case Create(wanted):
            return f"+ {wanted.name}: create, partitions {wanted.partitions}, replication {wanted.replication}"
        case ChangeSetting(wanted, setting, live):
            return f"~ {wanted.name}: {setting} {'unset' if live is None else live} -> {wanted.config[setting]}"
        case RemoveSetting(wanted, setting, live):
            return f"~ {wanted.name}: {setting} {live} -> unset"
        case AddPartitions(wanted, live):
            return f"~ {wanted.name}: partitions {live} -> {wanted.partitions}"
        case CannotShrink(wanted, live):
            return (
                f"! {wanted.name}: has {live} partitions, the register says {wanted.partitions}; Kafka takes none away"
            )
        case ReplicationDiffers(wanted, live):
            return f"! {wanted.name}: has replication {live}, the register says {wanted.replication}; move the replicas"
        case TopicUnlisted(name):
            return f"! {name}: not in the register; left as it is"


def _row(change: Change) -> ChangeRow:
    match change:
        case Create(wanted):
            return _as_row("create", wanted.name, None, None, wanted.partitions)
        case ChangeSetting(wanted, setting, live):
            return _as_row("change_setting", wanted.name, setting, live, wanted.config[setting])
        case RemoveSetting(wanted, setting, live):
            return _as_row("remove_setting", wanted.name, setting, live, None)
        case AddPartitions(wanted, live):
            return _as_row("add_partitions", wanted.name, "partitions", live, wanted.partitions)
        case CannotShrink(wanted, live):
            return _as_row("cannot_shrink", wanted.name, "partitions", live, wanted.partitions)
        case ReplicationDiffers(wanted, live):
            return _as_row("replication_differs", wanted.name, "replication", live, wanted.replication)
        case TopicUnlisted(name):
            return _as_row("unlisted", name, None, None, None)


_NEEDS_PERSON: frozenset[Act] = frozenset({"cannot_shrink", "replication_differs", "unlisted"})


def _as_row(act: Act, topic: str, setting: str | None, live: str | int | None, wanted: str | int | None) -> ChangeRow:
    needs_person = act in _NEEDS_PERSON
    return ChangeRow(change=act, topic=topic, setting=setting, live=live, wanted=wanted, needs_person=needs_person)
