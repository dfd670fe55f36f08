"""An agency's home folder: settings, keys, register and ledger, readable by its owner only.

settings.toml   register/   register.pin.json   keys/   ledger.sqlite   outside-backups/   run.json   unpacking
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.federation.keyring import Keyring, create_keys, load_keys
from referral_bus.federation.register import Register
from referral_bus.federation.register_folder import RegisterFolder
from referral_bus.files import private, trouble, work_as_owner_of
from referral_bus.home_folder import new_home_folder, open_home_folder
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.own_agency import begin_anew, incarnation_by_clock
from referral_bus.ledger.store import Ledger, create_ledger, open_ledger
from referral_bus.locks import close_folder, open_folder
from referral_bus.rollback_guard import RollbackGuard
from referral_bus.setting_files import FILE
from referral_bus.settings import Settings, load_settings, render_settings
from schemas.code_lists import load_code_list


@dataclass(frozen=True, slots=True)
class Home:
    """The paths in a home folder. `open_home` checks that the folder is a home and that no other user can read it."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def unpacking(self) -> Path:
        """The file that tells which batches of Kafka are being unpacked; see `broker.kafka.unpacking`."""
        return self.folder / "unpacking"

    @property
    def rollback_guard(self) -> RollbackGuard:
        return RollbackGuard(self.folder / "outside-backups")

    def settings(self) -> Settings:
        return load_settings(self.folder)

    def keyring(self, now: datetime) -> Keyring:
        return load_keys(self.keys, now)

    @property
    def registers(self) -> RegisterFolder:
        return RegisterFolder(self.folder, known_services(), "register accept")

    def register(self, now: datetime) -> Register:
        """The accepted register. Each call reads it and checks it against its pin."""
        return self.registers.read(now)

    def open_ledger(self, keyring: Keyring, code: str) -> Ledger:
        return open_ledger(self.ledger, AtRest(keyring.at_rest), code)


def known_services() -> frozenset[str]:
    return frozenset(entry.code for entry in load_code_list("service_types").codes)


def create_home(folder: Path, settings: Settings, now: datetime, again: bool = False) -> Home:
    """Makes a home with new keys and an empty ledger. Raises `Refused` for a folder that is not empty. `again` tells
    that the agency has lost an earlier home: the new ledger begins with a higher incarnation and higher numbers than
    that one can have used."""
    work_as_owner_of(folder)
    with private(), new_home_folder(folder):
        return _create(folder, settings, now, again)


def _create(folder: Path, settings: Settings, now: datetime, again: bool) -> Home:
    home = Home(folder)
    keyring = create_keys(home.keys, now)
    ledger = create_ledger(home.ledger, AtRest(keyring.at_rest), settings.agency)
    if again:
        with ledger.write() as tx:
            begin_anew(tx, incarnation_by_clock(now))
    ledger.close()
    (folder / FILE).write_text(render_settings(settings), encoding="utf-8")
    return home


def open_home(folder: Path) -> Home:
    """The home in this folder. Raises `Refused` when it is no home, when it belongs to another user, or when others can
    read it. A process of root becomes one of the home's owner; see `work_as_owner_of`."""
    return Home(open_home_folder(folder, True, "this folder is no agency's home; see `agency init`"))


def accept_register(home: Home, data: bytes, signatures: bytes, now: datetime, sha256: str | None) -> Register:
    """Takes a register in place of the pinned one. The first one needs `sha256`, which the stewards must have told by
    another way, because a register names its own stewards."""
    return home.registers.accept(data, signatures, now, home.settings().federation, sha256)


def check_own_key(register: Register, keyring: Keyring, code: str, now: datetime) -> None:
    """Raises `Refused` unless the register lists our signing key for the agency `code` and the key is valid: otherwise
    no reader would accept our records."""
    agency = register.agency(code)
    keys = () if agency is None else agency.signing_keys
    if not any(key.raw == keyring.signing_public and key.usable(now) for key in keys):
        advice = "the register lists no valid key of this home for this agency; ask the stewards, see `agency key`"
        raise Refused(Reason.KEY_NOT_IN_REGISTER, advice, "keys/signing.key")


@contextmanager
def running(home: Home) -> Iterator[None]:
    """Holds the home's lock, so that one service at most runs on a ledger; commands write without it. Raises `Refused`
    when a service holds it. The lock is on the folder itself, which has no second link and cannot be removed while it
    is not empty."""
    try:
        descriptor = open_folder(home.folder)
    except OSError as error:
        raise trouble(error, home.folder, "home") from None
    try:
        _lock(descriptor)
        yield
    finally:
        close_folder(descriptor)


def _lock(descriptor: int) -> None:
    """Tries for 80 ms: a command that checks whether the service runs holds the lock for an instant."""
    for left in range(5, 0, -1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.02 * (left > 1))
    raise Refused(Reason.ALREADY_RUNNING, "this agency's service is running already", "home")
