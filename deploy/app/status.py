"""Whether an agency's service is running, and how it does: read from its home folder and its health port."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass

from deploy.app.http import LOOPBACK
from referral_bus.errors import Refused
from referral_bus.home import Home, running

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


def write_status(home: Home, http_port: int) -> None:
    """For others who want to ask: the port is free to change at each start."""
    path = home.folder / "run.json"
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps({"pid": os.getpid(), "http_port": http_port}), encoding="utf-8")
    partial.replace(path)


def read_status(home: Home) -> ServiceStatus:
    if not _is_running(home):
        return ServiceStatus(running=False, http_port=None, parts={})
    try:
        port = int(json.loads((home.folder / "run.json").read_text(encoding="utf-8"))["http_port"])
    except (OSError, ValueError, KeyError):
        return ServiceStatus(running=True, http_port=None, parts={})
    return ServiceStatus(True, port, _ask(port))


def _is_running(home: Home) -> bool:
    try:
        with running(home):
            return False
    except Refused:
        return True


def _ask(port: int) -> dict[str, bool]:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=TIMEOUT_S) as answer:
            parts: dict[str, bool] = json.load(answer)
    except urllib.error.HTTPError as error:
        parts = json.load(error)
    except (OSError, ValueError):
        parts = {}
    return parts
