"""The way from the live topics to the wanted ones, as a closed union. Nothing here deletes anything."""

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
    """`live` is None where the topic leaves the setting to the broker's default."""

    wanted: TopicPlan
    setting: str
    live: str | None


@dataclass(frozen=True, slots=True)
class RemoveSetting:
    """Somebody gave the topic a setting that the register does not ask for, such as a bound on its bytes."""

    wanted: TopicPlan
    setting: str
    live: str


@dataclass(frozen=True, slots=True)
class AddPartitions:
    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class CannotShrink:
    """Kafka takes no partitions away: a person raises the register's number or makes the topic anew."""

    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class ReplicationDiffers:
    """Moving replicas is a person's work."""

    wanted: TopicPlan
    live: int


@dataclass(frozen=True, slots=True)
class TopicUnlisted:
    """A topic under our prefix that the register does not name. It may hold what somebody has not read yet."""

    name: str


ByUs = Create | ChangeSetting | RemoveSetting | AddPartitions
ByAPerson = CannotShrink | ReplicationDiffers | TopicUnlisted
Change = ByUs | ByAPerson


def difference(wanted: Sequence[TopicPlan], live: Mapping[str, TopicPlan], topic_prefix: str) -> tuple[Change, ...]:
    """What has to happen, in the order of the topics' names. Other federations' topics are not looked at."""
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
    """More copies in step than there are copies would stop every writer: that setting waits until a person has raised
    the replication."""
    if int(wanted.config.get(_IN_STEP, "1")) <= live.replication:
        return wanted
    config = {setting: value for setting, value in wanted.config.items() if setting != _IN_STEP}
    if _IN_STEP in live.config:
        config[_IN_STEP] = live.config[_IN_STEP]
    return replace(wanted, config=config)


def apply(changes: Sequence[Change], admin: TopicAdmin) -> tuple[ByAPerson, ...]:
    """Does what can be done, each topic once, and returns what is left for a person. Repeating it does no harm."""
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
