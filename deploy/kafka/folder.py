"""The data folder of a local Kafka: ours or refused, and used by one start or stop at a time."""

import base64
import errno
import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.kafka.jars import KAFKA_VERSION
from deploy.kafka.plan import KafkaPlan
from referral_bus.errors import Reason, Refused
from referral_bus.files import read_bounded
from schemas.bounded_json import SMALL_FILE, load_json

MARKER = "referral-bus-kafka.json"
_MOST_BROKERS = 3


@dataclass(frozen=True, slots=True)
class Marker:
    """What makes a folder ours."""

    version: str
    cluster_id: str
    brokers: int


def read_marker(folder: Path) -> Marker | None:
    """None when there is no folder or nothing in it. Raises `Refused` for a folder that is not ours."""
    try:
        if not folder.exists() or all(path.name == _part(MARKER) for path in folder.iterdir()):
            return None
        return _marker(load_json(read_bounded(folder / MARKER), SMALL_FILE))
    except OSError as error:
        why = f"holds something else (no {MARKER})" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise _refused(folder, f"{why}: choose a folder that is empty or new") from error
    except (ValueError, TypeError) as error:
        raise _refused(folder, f"has a {MARKER} that is not ours: choose another folder") from error


def _marker(document: Any) -> Marker:
    """Raises `TypeError` or `ValueError` for anything else."""
    marker = Marker(**document)
    texts = isinstance(marker.version, str) and isinstance(marker.cluster_id, str)
    if not texts or type(marker.brokers) is not int or not 0 < marker.brokers <= _MOST_BROKERS:
        raise ValueError("no marker")
    return marker


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Two starts, or a start and a stop, come one after the other. The lock goes with the process that holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the file system says, as one of our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refused(Reason.DISK_FULL, f"The disk is full: make room for {folder}.") from error
        raise _refused(folder, f"cannot be written ({error.strerror}): choose another folder") from error


@contextmanager
def claimed(plan: KafkaPlan) -> Iterator[Marker]:
    """The folder, locked, made ours if it is new. Raises `Refused` when it cannot be."""
    folder = plan.data_folder
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder):
        with writing(folder):
            marker = read_marker(folder) or _mark(plan)
            tempfile.TemporaryFile(dir=folder).close()
        _check_marker(plan, marker)
        yield marker


def check_space(plan: KafkaPlan) -> None:
    free_mb = shutil.disk_usage(plan.data_folder).free // 1_000_000
    if free_mb < plan.min_free_mb:
        raise Refused(
            Reason.DISK_FULL, f"{free_mb} MB are free for {plan.data_folder}, Kafka needs {plan.min_free_mb} MB."
        )


def _mark(plan: KafkaPlan) -> Marker:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    marker = Marker(KAFKA_VERSION, cluster_id, plan.brokers)
    write_whole(plan.data_folder / MARKER, json.dumps(asdict(marker)))
    return marker


def write_whole(path: Path, text: str) -> None:
    """Whoever reads it sees the old file or the new one, never half of one."""
    part = path.with_name(_part(path.name))
    part.write_text(text, "utf-8")
    part.replace(path)


def _part(name: str) -> str:
    return f".{name}.part"


def _check_marker(plan: KafkaPlan, marker: Marker) -> None:
    if marker.version != KAFKA_VERSION:
        raise _refused(
            plan.data_folder, f"is of Kafka {marker.version}, this is {KAFKA_VERSION}: choose another folder"
        )
    if marker.brokers != plan.brokers:
        raise _refused(plan.data_folder, f"was made for {marker.brokers} broker(s): start that many, or choose another")


def _refused(folder: Path, why: str) -> Refused:
    return Refused(Reason.DATA_FOLDER_INVALID, f"The data folder {folder} {why}.")
