"""The pin: what an agency notes about the register that it has accepted, to refuse an older or a forged one later."""

import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register_models import RegisterModel, Sha256Hex, Stewards
from referral_bus.files import read_own, sync_folder, trouble
from schemas.bounded_json import SMALL_FILE, OutOfBounds, check_bounds
from schemas.code_lists import CodeForm
from schemas.events import FromOne


class Pin(RegisterModel):
    """The stewards whose signatures count, and the highest version accepted with the SHA-256 of its bytes."""

    federation: CodeForm
    version: FromOne
    sha256: Sha256Hex
    stewards: Stewards


def load_pin(path: Path) -> Pin:
    """The pin in this file. Raises `Refused` (HOME_INVALID) for a missing or damaged one: to trust a register anew
    takes a person who checks its SHA-256."""
    try:
        content = read_own(path)
        check_bounds(content, SMALL_FILE)
        return Pin.model_validate_json(content.decode("utf-8-sig"))
    except (ValidationError, UnicodeDecodeError, OutOfBounds):
        raise Refused(Reason.HOME_INVALID, f"{path.name} is damaged; restore it, or join the federation anew") from None
    except FileNotFoundError:
        raise Refused(Reason.HOME_INVALID, f"{path.name} is missing; join the federation first") from None


def save_pin(path: Path, pin: Pin) -> None:
    """Replaces the pin in one step; only its owner can read the file. Write the register's own files before: a pin
    whose register is missing would refuse the one that is there as older. Raises `Unreachable`."""
    try:
        _replace(path, pin.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise trouble(error, path, path.name, "written") from None


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # for its owner only
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
