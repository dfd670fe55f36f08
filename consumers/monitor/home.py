"""The monitor's home folder: settings, register and database, readable by its owner only. No key of any kind.

settings.toml   register/   register.pin.json   monitor.sqlite   run.json   unpacking
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consumers.monitor.settings import MonitorSettings, load_settings, render_settings
from consumers.monitor.store import Store, open_store
from referral_bus.clock import Clock
from referral_bus.errors import BusError
from referral_bus.federation.register import Register
from referral_bus.federation.register_folder import RegisterFolder
from referral_bus.files import private, work_as_owner_of
from referral_bus.home import known_services
from referral_bus.home_folder import make_home_folder, open_home_folder
from referral_bus.logs import Log
from referral_bus.setting_files import FILE


@dataclass(frozen=True, slots=True)
class MonitorHome:
    """Paths in a monitor's home folder."""

    folder: Path

    def settings(self) -> MonitorSettings:
        return load_settings(self.folder)

    @property
    def unpacking(self) -> Path:
        """Which batches of Kafka are being unpacked (see `broker.kafka.unpacking`)."""
        return self.folder / "unpacking"

    @property
    def registers(self) -> RegisterFolder:
        return RegisterFolder(self.folder, known_services(), "monitor accept")

    def register(self, now: datetime) -> Register:
        """The accepted register, checked against its pin each time."""
        return self.registers.read(now)

    def open_store(self, federation: str, now: datetime) -> Store:
        with private():
            return open_store(self.folder / "monitor.sqlite", federation, now)


def create_monitor_home(folder: Path, settings: MonitorSettings) -> MonitorHome:
    """A new home. Refuses a folder that has anything in it."""
    work_as_owner_of(folder)
    with private():
        make_home_folder(folder)
        (folder / FILE).write_text(render_settings(settings), encoding="utf-8")
    return MonitorHome(folder)


def open_monitor_home(folder: Path) -> MonitorHome:
    """Raises `Refused` when it is no monitor's home, when it belongs to another user, or when others can read it: it
    says who refers to whom, and when. A process of root goes on as the home's owner."""
    return MonitorHome(open_home_folder(folder, False, "this folder is no monitor's home; see `monitor init`"))


def accept_register(home: MonitorHome, data: bytes, signatures: bytes, now: datetime, sha256: str | None) -> Register:
    """Takes a register in place of the pinned one, as an agency does: the first one needs the SHA-256 that the stewards
    told by another way."""
    return home.registers.accept(data, signatures, now, home.settings().federation, sha256)


class CurrentRegister:
    """The register as it is now: a running monitor takes a newer one as soon as it was accepted into its home."""

    def __init__(self, home: MonitorHome, clock: Clock, log: Log) -> None:
        self._home = home
        self._clock = clock
        self._log = log
        self._stamp = self._pinned()
        self._register = home.register(clock())

    def __call__(self) -> Register:
        return self._register

    def refresh(self) -> None:
        """Looks whether another one was accepted. One that cannot be read leaves the one before in force."""
        stamp = self._pinned()
        if stamp == self._stamp:
            return
        try:
            self._register = self._home.register(self._clock())
        except BusError as error:
            self._log.warning("register_refused", code=error.reason)
            return
        self._stamp = stamp
        self._log.info("register_taken", version=self._register.version)

    def _pinned(self) -> tuple[int, int]:
        try:
            found = self._home.registers.pin.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino
