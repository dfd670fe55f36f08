"""Reads whether an agency's service runs and has what it needs, from its home folder and its health port."""

import json
import os
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from deploy.app.service.health_http import LOOPBACK
from referral_bus.errors import Refused
from referral_bus.files import private, read_bounded, trouble
from referral_bus.home import Home, running
from referral_bus.setting_files import MAX_PORT
from referral_bus.stages import OwnService
from schemas.bounded_json import SMALL_FILE, load_json

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of a service. `parts`: the content of /readyz; empty when the service does not run or does not
    answer."""

    running: bool
    http_port: int | None
    parts: dict[str, bool]

    @property
    def ready(self) -> bool:
        return bool(self.parts) and all(self.parts.values())


def forget_status(home: Home) -> None:
    """Removes the status file of an earlier run, whose port may belong to another agency by now."""
    _path(home).unlink(missing_ok=True)


def write_status(home: Home, http_port: int) -> None:
    """Writes pid and health port for other processes to read; the port may differ at each start."""
    path = _path(home)
    partial = path.with_suffix(".new")
    try:
        with private():
            partial.write_text(json.dumps({"pid": os.getpid(), "http_port": http_port}), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise trouble(error, path, path.name, "written") from None


def read_status(home: Home) -> ServiceStatus:
    """The state of the service of a home, as its lock, its status file and its health port show it."""
    if not is_running(home):
        return ServiceStatus(running=False, http_port=None, parts={})
    port = _written(home, "http_port")
    if port is None or not 0 < port <= MAX_PORT:
        return ServiceStatus(running=True, http_port=None, parts={})
    return ServiceStatus(True, port, _ask(port))


def service_pid(home: Home) -> int | None:
    """The pid that the service wrote into its status file; None where that file is missing or damaged."""
    pid = _written(home, "pid")
    return pid if pid is not None and pid > 1 else None  # to kill(2) 0 and -1 mean many processes


def _written(home: Home, name: str) -> int | None:
    try:
        value = load_json(read_bounded(_path(home)), SMALL_FILE)[name]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if type(value) is int else None


def _path(home: Home) -> Path:
    return home.folder / "run.json"


def own_service(home: Home) -> OwnService:
    """Whether our service runs and reaches Kafka, so that events leave and come in. A service that runs, but does not
    answer at its health port, counts as working."""
    status = read_status(home)
    if not status.running:
        return OwnService.STOPPED
    return OwnService.WORKS if status.parts.get("broker", True) else OwnService.CUT_OFF


def is_running(home: Home) -> bool:
    """Whether a process holds the lock of this home."""
    try:
        with running(home):
            return False
    except Refused:
        return True


def _ask(port: int) -> dict[str, bool]:
    """The content of /readyz; empty where it cannot be read. Connects to loopback directly, whatever proxy the
    environment sets."""
    connection = HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        content = answer.read(SMALL_FILE.size + 1)  # bounded: another program may answer there by now
        parts = load_json(content, SMALL_FILE) if answer.status in (200, 503) else {}
    except (OSError, ValueError, HTTPException):
        return {}
    finally:
        connection.close()
    well = isinstance(parts, dict) and all(isinstance(value, bool) for value in parts.values())
    return parts if well else {}
