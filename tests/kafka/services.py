"""Agency services as real processes over the run's Kafka, each in a session of its own."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deploy.app.service.service_status import ServiceStatus, read_status
from referral_bus.home import Home
from tests.kit.homes import (
    OTHER,
    RECIPIENT,
    SENDER,
    Agency,
    join,
    make_homes,
    new_stewards,
    signed_register,
)
from tests.kit.waiting import PATIENCE_S, wait_until
from tests.kit.warm import warm_command

ROOT = Path(__file__).parents[2]
AGENCY_RUN = ("deploy.app", "agency", "run")


@dataclass
class Process:
    """One `agency run`."""

    agency: Agency
    popen: subprocess.Popen[bytes]
    log: Path
    began: float = field(default_factory=time.monotonic)

    def status(self) -> ServiceStatus:
        return read_status(Home(self.agency.home))

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.popen.poll() is not None or self.status().ready)
        assert self.popen.poll() is None, self.log.read_text()

    def worked_s(self) -> float:
        """The processor time that it has taken, which says what it does and not how busy the machine is."""
        times = psutil.Process(self.popen.pid).cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        return float(psutil.Process(self.popen.pid).memory_info().rss) / 1e6

    def kill(self) -> None:
        """kill -9: it gets no chance to end anything."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def terminate(self) -> tuple[int, float]:
        """Its exit code, and how long it took."""
        began = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE_S), time.monotonic() - began

    def events(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Services:
    """Homes of a federation of its own, and whatever runs over them. `end` leaves no process."""

    def __init__(self, folder: Path, kafka: str, copies: int = 1) -> None:
        self.folder = folder
        self.kafka = kafka
        self.topic_prefix = f"t{secrets.token_hex(4)}"
        self._processes: list[Process] = []
        self._copies, self._federation, self._stewards = copies, f"f{self.topic_prefix}", new_stewards()
        make_homes(folder, self._federation, kafka, announce_every_s=1)
        self.join(1)

    def join(self, version: int) -> None:
        """Every home takes a register that lists the keys that the homes have now, and no others."""
        register = signed_register(
            self.folder,
            self._stewards,
            version,
            federation=self._federation,
            topic_prefix=self.topic_prefix,
            copies=self._copies,
        )
        join(self.folder, register)

    @property
    def sender(self) -> Agency:
        return Agency(self.folder / SENDER)

    @property
    def recipient(self) -> Agency:
        return Agency(self.folder / RECIPIENT)

    @property
    def other(self) -> Agency:
        return Agency(self.folder / OTHER)

    @property
    def register(self) -> Path:
        return Home(self.sender.home).registers.file

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """The command to its end."""
        command = [str(warm_command()), *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def make_topics(self) -> None:
        made = self.run("register", "apply", self.register, "--kafka", self.kafka)
        assert made.returncode == 0, made.stderr

    def start(self, agency: Agency, program: Sequence[str] = AGENCY_RUN) -> Process:
        """`program` is a module and its arguments; it is given the home besides."""
        log = agency.home.with_suffix(".log")
        command = [sys.executable, "-m", *program, "--home", str(agency.home)]
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        process = Process(agency, popen, log)
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            if process.popen.poll() is None:
                os.killpg(process.popen.pid, signal.SIGKILL)
            process.popen.wait()


def started(services: Services, agencies: Sequence[Agency]) -> list[Process]:
    processes = [services.start(agency) for agency in agencies]
    for process in processes:
        process.wait_until_ready()
    return processes
