"""The monitor's home folder: settings, register and database, readable by its owner only. It holds no keys.

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
from referral_bus.home_folder import new_home_folder, open_home_folder
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
        """The file that notes which batches of Kafka are being unpacked (see `broker.kafka.unpacking`)."""
        return self.folder / "unpacking"

    @property
    def registers(self) -> RegisterFolder:
        return RegisterFolder(self.folder, known_services(), "monitor accept")

    def register(self, now: datetime) -> Register:
        """The accepted register, read and checked against its pin at each call. Raises `Refused`."""
        return self.registers.read(now)

    def open_store(self, federation: str, now: datetime) -> Store:
        with private():
            return open_store(self.folder / "monitor.sqlite", federation, now)


def create_monitor_home(folder: Path, settings: MonitorSettings) -> MonitorHome:
    """Makes a new home. Raises `Refused` for a folder that has anything in it."""
    work_as_owner_of(folder)
    with private(), new_home_folder(folder):
        (folder / FILE).write_text(render_settings(settings), encoding="utf-8")
    return MonitorHome(folder)


def open_monitor_home(folder: Path) -> MonitorHome:
    """Opens a home. Raises `Refused` where the folder is no monitor's home, belongs to another user, or can be read by
    others: its database tells which agency refers to which, and when. A process of root continues as the owner of the
    folder."""
    return MonitorHome(open_home_folder(folder, False, "this folder is no monitor's home; see `monitor init`"))


def accept_register(home: MonitorHome, data: bytes, signatures: bytes, now: datetime, sha256: str | None) -> Register:
    """Accepts a register in place of the pinned one, by the rules that hold for an agency. `sha256`: needed for the
    first one, as the stewards tell it by another way. Raises `Refused`."""
    return home.registers.accept(data, signatures, now, home.settings().federation, sha256)


class CurrentRegister:
    """The register that a running monitor works by; `refresh` replaces it once a newer one is accepted into the
    home."""

    def __init__(self, home: MonitorHome, clock: Clock, log: Log) -> None:
        self._home = home
        self._clock = clock
        self._log = log
        self._stamp = self._pinned()
        self._register = home.register(clock())

    def __call__(self) -> Register:
        return self._register

    def refresh(self) -> None:
        """Looks whether another register was accepted. Where it cannot be read, keeps the present one."""
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
