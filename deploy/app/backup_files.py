"""The file of a backup: a first line, the ledger, and a MAC over both under a key of the home.

The ledger is copied out and its MAC checked before SQLite opens the copy. So a file that was cut short, or edited
without the home's keys, is never read as a ledger.
"""

import hmac
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from referral_bus.errors import Reason, Refused
from referral_bus.files import sync_folder, trouble
from referral_bus.ledger.at_rest import AtRest

_FIRST_LINE = b"referral-bus backup 1\n"
_MAC = sha256().digest_size  # bytes
_CHUNK = 1024 * 1024


def backup_key(at_rest: bytes, code: str) -> bytes:
    """The key for the MAC of a backup, derived from the home's at-rest key and the agency's code, so that backups of
    another home do not pass."""
    return AtRest(at_rest).digest("backup", code.encode())


def write_backup(ledger: BinaryIO, target: Path, key: bytes) -> None:
    """Writes a backup into a new file; never overwrites a file or follows a link. After an error it removes the file.
    Raises `Refused` or `Unreachable`."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Refused(Reason.FILE_EXISTS, "this file is there already; name a new one", "FILE") from None
    except OSError as error:
        raise trouble(error, target, "FILE", "written") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            _seal(ledger, file, key)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(target.parent)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise trouble(error, target, "FILE", "written") from None
        raise


def _seal(ledger: BinaryIO, file: BinaryIO, key: bytes) -> None:
    mac = hmac.new(key, _FIRST_LINE, sha256)
    file.write(_FIRST_LINE)
    while chunk := ledger.read(_CHUNK):
        mac.update(chunk)
        file.write(chunk)
    file.write(mac.digest())


def take_out(backup: Path, ledger: Path, key: bytes) -> None:
    """Writes the ledger in `backup` into the new file `ledger`. Raises `Refused` unless the MAC was made with the key
    of this home; what was written then must not be opened."""
    with open_backup(backup) as source:
        try:
            descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as target:
                genuine = _copy_out(source, target, key)
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            raise trouble(error, ledger, "ledger", "written") from None
    if not genuine:
        advice = "this file is no whole backup of this agency's ledger, made with the keys of this home"
        raise Refused(Reason.HOME_INVALID, advice, "FILE")


def open_backup(path: Path) -> BinaryIO:
    """Opens a backup. Raises `Refused` for anything but a plain file, such as a pipe, which could block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file", "FILE") from None
    except OSError as error:
        raise trouble(error, path, "FILE") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(Reason.FILE_UNREADABLE, "this is no plain file", "FILE")
    return os.fdopen(descriptor, "rb")


def _copy_out(source: BinaryIO, target: BinaryIO, key: bytes) -> bool:
    left = os.fstat(source.fileno()).st_size - len(_FIRST_LINE) - _MAC
    if left < 0 or source.read(len(_FIRST_LINE)) != _FIRST_LINE:
        return False
    mac = hmac.new(key, _FIRST_LINE, sha256)
    while left and (chunk := source.read(min(left, _CHUNK))):
        mac.update(chunk)
        target.write(chunk)
        left -= len(chunk)
    return not left and hmac.compare_digest(source.read(_MAC + 1), mac.digest())
