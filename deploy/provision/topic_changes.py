"""The changes that lead from the topics of a cluster to those of a register, as a closed union. None deletes
anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from referral_bus.broker.protocols import TopicAdmin, TopicPlan

_IN_STEP = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Create:
    wanted: TopicPlan


@dataclass(frozen=True, slots=True)
class ChangeSetting:
    """Sets a setting of a topic. `live` is None where the topic has the broker's default."""

    wanted: TopicPlan
    setting: str
    live: str | None


@dataclass(frozen=True, slots=True)
class RemoveSetting:
    """Unsets a setting that the topic has and the register does not ask for, such as a bound on its bytes."""

    wanted: TopicPlan
    setting: str
    live: str


@dataclass(frozen=True, slots=True)
class AddPartitions:
    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class CannotShrink:
    """The topic has too many partitions, and Kafka removes none: a person must raise the number in the register, or
    make the topic anew."""

    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class ReplicationDiffers:
    """The topic has another replication: a person must move the replicas."""

    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class TopicUnlisted:
    """A topic under the federation's prefix that the register does not name. It is left to a person, since an agency
    may not have read all of it yet."""

    name: str


ByUs = Create | ChangeSetting | RemoveSetting | AddPartitions
ByAPerson = CannotShrink | ReplicationDiffers | TopicUnlisted
Change = ByUs | ByAPerson


def difference(wanted: Sequence[TopicPlan], live: Mapping[str, TopicPlan], topic_prefix: str) -> tuple[Change, ...]:
    """The changes needed, in the order of the topics' names. Topics without the prefix `topic_prefix` are ignored: they
    belong to other federations."""
    named = {plan.name: plan for plan in wanted}
    found: list[Change] = []
    for name in sorted(named.keys() | live.keys()):
        if name not in named:
            if name.startswith(f"{topic_prefix}."):
                found.append(TopicUnlisted(name))
        elif name not in live:
            found.append(Create(named[name]))
        else:
            found.extend(_changes(named[name], live[name]))
    return tuple(found)


def _changes(asked: TopicPlan, live: TopicPlan) -> Iterator[Change]:
    wanted = _writable(asked, live)
    if live.partitions < wanted.partitions:
        yield AddPartitions(wanted, live.partitions)
    elif live.partitions > wanted.partitions:
        yield CannotShrink(wanted, live.partitions)
    if live.replication != wanted.replication:
        yield ReplicationDiffers(wanted, live.replication)
    for setting in sorted(wanted.config.keys() | live.config.keys()):
        if setting not in wanted.config:
            yield RemoveSetting(wanted, setting, live.config[setting])
        elif live.config.get(setting) != wanted.config[setting]:
            yield ChangeSetting(wanted, setting, live.config.get(setting))


def _writable(wanted: TopicPlan, live: TopicPlan) -> TopicPlan:
    """`wanted`, without a higher `min.insync.replicas` than the topic has replicas: that would refuse every write. The
    setting waits until a person has raised the replication."""
    if int(wanted.config.get(_IN_STEP, "1")) <= live.replication:
        return wanted
    config = {setting: value for setting, value in wanted.config.items() if setting != _IN_STEP}
    if _IN_STEP in live.config:
        config[_IN_STEP] = live.config[_IN_STEP]
    return replace(wanted, config=config)


def apply(changes: Sequence[Change], admin: TopicAdmin) -> tuple[ByAPerson, ...]:
    """Applies the changes, each topic in one step, and returns those that a person must make. Applying them again
    changes nothing."""
    left: list[ByAPerson] = []
    changed: dict[str, TopicPlan] = {}
    for change in changes:
        match change:
            case Create():
                admin.create_topic(change.wanted)
            case ChangeSetting() | RemoveSetting() | AddPartitions():
                changed[change.wanted.name] = change.wanted
            case CannotShrink() | ReplicationDiffers() | TopicUnlisted():
                left.append(change)
            case _:
                assert_never(change)
    for plan in changed.values():
        admin.change_topic(plan)
    return tuple(left)
