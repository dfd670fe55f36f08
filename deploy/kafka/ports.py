"""Remembers the ports of a local Kafka: it starts on those of its last start unless others are given, so that clients
find it again."""

import json
from pathlib import Path

from deploy.kafka.folder import read_marker, write_whole, writing
from deploy.kafka.plan import KafkaPlan
from referral_bus.files import read_bounded
from schemas.bounded_json import SMALL_FILE, load_json

REMEMBERED = "ports.json"


def plan_as_before(
    folder: Path, port: int | None, controller_port: int | None, brokers: int | None, min_free_mb: int
) -> KafkaPlan:
    """The plan for a start. A value that is None is that of the last start in this folder, or the default of a new one.
    Raises `Refused` for a folder that is not ours."""
    marker, given = read_marker(folder), {"port": port, "controller_port": controller_port, "brokers": brokers}
    before = {} if marker is None else _remembered(folder) | {"brokers": marker.brokers}
    chosen = before | {name: value for name, value in given.items() if value is not None}
    return KafkaPlan(folder, **chosen, min_free_mb=min_free_mb)


def remember_ports(plan: KafkaPlan) -> None:
    with writing(plan.data_folder):
        text = json.dumps({"port": plan.port, "controller_port": plan.controller_port})
        write_whole(plan.data_folder / REMEMBERED, text)


def _remembered(folder: Path) -> dict[str, int]:
    """The remembered ports; empty where the file is missing or damaged, so that the defaults hold."""
    try:
        ports = load_json(read_bounded(folder / REMEMBERED), SMALL_FILE)
    except (OSError, ValueError):
        return {}
    known = ports if isinstance(ports, dict) else {}
    return {name: known[name] for name in ("port", "controller_port") if type(known.get(name)) is int}
