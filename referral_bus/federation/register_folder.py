"""The registers in a home: the versions that were accepted, and the one in force.

register/<version>-<beginning of its SHA-256>/register.yaml, register.signatures.yaml
register.pin.json       names the one in force, and the stewards whose signatures count

A version is put in place as a whole before the pin names it, so that a crash at any moment leaves the old one in force
or the new one, never a mixture.
"""

import fcntl
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.federation.pin import Pin, load_pin, save_pin
from referral_bus.federation.register import Register
from referral_bus.federation.trust import accept, first_pin, parse_signatures
from referral_bus.files import private, read_own, sync_folder, trouble, write_through
from referral_bus.locks import close_folder, open_folder

REGISTER, SIGNATURES = "register.yaml", "register.signatures.yaml"
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RegisterFolder:
    """The registers in one home. `services` are the service types that a register may name; `how` is the command that
    accepts a register, for advice."""

    home: Path
    services: Collection[str]
    how: str

    @property
    def pin(self) -> Path:
        return self.home / "register.pin.json"

    @property
    def file(self) -> Path:
        """The file of the register in force, for people and other commands to read."""
        return self._place(self._load_pin()) / REGISTER

    def read(self, now: datetime) -> Register:
        """The register in force. Each call checks the file's signatures and bytes against the pin. Raises `Refused` as
        `trust.accept` does, and when no register was accepted yet."""
        pin = self._load_pin()
        data, signatures = (self._read(self._place(pin) / name) for name in (REGISTER, SIGNATURES))
        return accept(pin, data, parse_signatures(signatures), now, self.services)[0]

    def accept(
        self,
        data: bytes,
        signatures: bytes,
        now: datetime,
        federation: str,
        sha256: str | None,
        step: Step = lambda _: None,
    ) -> Register:
        """Takes a register in place of the one in force. The first one needs its `sha256`, which the stewards must have
        told by another way, because a register names its own stewards; a later one must match it if it is given. `step`
        is called after each step that is on the disk, with the step's name."""
        told = None if sha256 is None else _digest(sha256)
        given = parse_signatures(signatures)
        with self._alone(), private():
            before = self._find_pin()
            if before is not None:
                register, pin = accept(before, data, given, now, self.services)
            else:
                register, pin = first_pin(data, given, now, self.services)
                _refuse_untold(told)
            if told not in (None, register.sha256):
                raise Refused(Reason.REGISTER_UNSIGNED, "the register's SHA-256 differs from the one given", "sha256")
            if register.federation != federation:
                raise Refused(Reason.REGISTER_INVALID, "this is another federation's register", "federation")
            if pin != before or not self._place(pin).exists():
                self._put_in_place(pin, data, signatures, step)
            self._sweep({self._place(each).name for each in (before, pin) if each is not None})
        return register

    def _put_in_place(self, pin: Pin, data: bytes, signatures: bytes, step: Step) -> None:
        place = self._place(pin)
        partial = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
        write_through(partial / REGISTER, data)
        write_through(partial / SIGNATURES, signatures)
        sync_folder(partial)
        step("written")
        if place.exists():  # from an attempt that ended before the pin named it
            shutil.rmtree(place)
        partial.rename(place)
        sync_folder(place.parent)
        step("in place")
        save_pin(self.pin, pin)
        step("pinned")

    def _sweep(self, kept: Collection[str]) -> None:
        """Removes what earlier versions and crashes have left. Keeps the previous version, which another process may be
        reading."""
        for path in (self.home / "register").iterdir():
            if path.name not in kept:
                shutil.rmtree(path)

    def _load_pin(self) -> Pin:
        pin = self._find_pin()
        if pin is None:
            advice = f"{self.pin.name} is missing: no register was accepted yet, see `{self.how}`"
            raise Refused(Reason.HOME_INVALID, advice)
        return pin

    def _find_pin(self) -> Pin | None:
        try:
            self.pin.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise trouble(error, self.pin, self.pin.name) from None
        return load_pin(self.pin)

    def _place(self, pin: Pin) -> Path:
        return self.home / "register" / f"{pin.version}-{pin.sha256[:16]}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lets one process at a time accept a register. Raises `Unreachable` for a full or failing disk."""
        folder = self.home / "register"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = open_folder(folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                close_folder(descriptor)
        except OSError as error:
            raise trouble(error, folder, REGISTER, "written") from None

    def _read(self, path: Path) -> bytes:
        try:
            return read_own(path)
        except FileNotFoundError:
            raise Refused(Reason.HOME_INVALID, f"it is missing; accept it again, see `{self.how}`", path.name) from None


def _digest(text: str) -> str:
    """The 64 digits of a SHA-256 as a person types them: in groups, in upper or lower case. Raises `Refused`."""
    digits = "".join(text.lower().split())
    if re.fullmatch("[0-9a-f]{64}", digits) is None:
        advice = "this is no SHA-256; accepted: 64 hexadecimal digits, in groups if you like"
        raise Refused(Reason.VALUE_REFUSED, advice, "sha256")
    return digits


def _refuse_untold(told: str | None) -> None:
    if told is None:
        advice = "--sha256 is missing: the first register of a home needs it, as the stewards tell it by another way"
        raise Refused(Reason.REGISTER_UNSIGNED, advice, "sha256")
