"""The data folder of a local Kafka. It must be empty or hold our marker, and only one start or stop at a time uses
it."""

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
    """The content of the file that marks a data folder as ours."""

    version: str
    cluster_id: str
    brokers: int


def read_marker(folder: Path) -> Marker | None:
    """The marker of a folder; None when the folder does not exist or is empty. Raises `Refused` for any other folder
    without our marker."""
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
    """The marker in a JSON document. Raises `TypeError` or `ValueError` for a document of another form."""
    marker = Marker(**document)
    texts = isinstance(marker.version, str) and isinstance(marker.cluster_id, str)
    if not texts or type(marker.brokers) is not int or not 0 < marker.brokers <= _MOST_BROKERS:
        raise ValueError("no marker")
    return marker


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, so that two starts, or a start and a stop, run one after the other. The lock ends with
    the process that holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an error of the file system into `Refused`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refused(Reason.DISK_FULL, f"The disk is full: make room for {folder}.") from error
        raise _refused(folder, f"cannot be written ({error.strerror}): choose another folder") from error


@contextmanager
def claimed(plan: KafkaPlan) -> Iterator[Marker]:
    """Locks the data folder of a plan, and marks it as ours if it is new. Raises `Refused` where it cannot be used."""
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
    """Raises `Refused` where less than `min_free_mb` is free for the data folder."""
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
    """Replaces a file in one step: a reader sees the old content or the new one, never a part."""
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
