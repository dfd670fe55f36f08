"""Whether an agency's service is running, and how it does: read from its home folder and its health port."""

import json
import os
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from deploy.app.http import LOOPBACK
from referral_bus.errors import Refused
from referral_bus.files import private, trouble
from referral_bus.home import Home, running
from referral_bus.stages import OwnService

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """`parts` is what /readyz says; empty when the service does not run or does not answer."""

    running: bool
    http_port: int | None
    parts: dict[str, bool]

    @property
    def ready(self) -> bool:
        return bool(self.parts) and all(self.parts.values())


def forget_status(home: Home) -> None:
    """What an earlier run has left: its port may be another agency's by now."""
    _path(home).unlink(missing_ok=True)


def write_status(home: Home, http_port: int) -> None:
    """For others who want to ask: the port is free to change at each start."""
    path = _path(home)
    partial = path.with_suffix(".new")
    try:
        with private():
            partial.write_text(json.dumps({"pid": os.getpid(), "http_port": http_port}), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise trouble(error, path, path.name, "written") from None


def read_status(home: Home) -> ServiceStatus:
    if not is_running(home):
        return ServiceStatus(running=False, http_port=None, parts={})
    try:
        port = int(json.loads(_path(home).read_text(encoding="utf-8"))["http_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return ServiceStatus(running=True, http_port=None, parts={})
    return ServiceStatus(True, port, _ask(port))


def _path(home: Home) -> Path:
    return home.folder / "run.json"


def own_service(home: Home) -> OwnService:
    """Whether what is written here can leave, and what was sent to us comes in. A service that does not answer at its
    health port is not said to be cut off."""
    status = read_status(home)
    if not status.running:
        return OwnService.STOPPED
    return OwnService.WORKS if status.parts.get("broker", True) else OwnService.CUT_OFF


def is_running(home: Home) -> bool:
    try:
        with running(home):
            return False
    except Refused:
        return True


def _ask(port: int) -> dict[str, bool]:
    """Straight to loopback: no proxy of the environment is asked."""
    connection = HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        parts = json.load(answer) if answer.status in (200, 503) else {}
    except (OSError, ValueError, HTTPException):
        return {}
    finally:
        connection.close()
    well = isinstance(parts, dict) and all(isinstance(value, bool) for value in parts.values())
    return parts if well else {}
