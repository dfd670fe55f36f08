"""An agency's private keys. They are in its home folder and nowhere else.

keys/signing.key        Ed25519, hex; its public half stands in the register
keys/at-rest.key        32 random bytes, hex; wraps the keys of the ledger's bodies
keys/sealing-<n>.key    X25519, hex, one for each epoch: the current one, the next two, and each past one for 14 days

The service destroys the other sealing keys, so that old copies of the bodies sealed to them can never be opened again.
"""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral_bus.errors import Reason, Refused
from referral_bus.files import read_own, sync_folder, trouble
from referral_bus.wire.signing import key_id_of
from schemas.sealing_keys import AHEAD, SealingKey, epoch_at, epoch_start

KEPT_FOR = timedelta(days=14)  # after its epoch: as long as Kafka keeps a record of the epoch's last moment


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The private sealing key of one epoch."""

    epoch: int
    private: X25519PrivateKey

    @property
    def public(self) -> SealingKey:
        return SealingKey(
            epoch=self.epoch,
            public_key=self.private.public_key().public_bytes_raw(),
            valid_from=epoch_start(self.epoch),
            valid_until=epoch_start(self.epoch + 1),
        )


class Keyring:
    """The private keys of one agency, as `load_keys` has read them. They are never printed or logged."""

    def __init__(self, signing: Ed25519PrivateKey, at_rest: bytes, epochs: tuple[EpochKey, ...]) -> None:
        self.signing = signing
        self.at_rest = at_rest
        self.epochs = epochs
        self._by_id = {key_id_of(key.public.public_key): key.private for key in epochs}

    @property
    def signing_public(self) -> bytes:
        return self.signing.public_key().public_bytes_raw()

    def find_sealing(self, key_id: str) -> X25519PrivateKey | None:
        """The private half of the sealing key with this id; None for a key that this home never had, or has
        destroyed."""
        return self._by_id.get(key_id)

    def without(self, epochs: Collection[int]) -> "Keyring":
        """A keyring without the sealing keys of these epochs."""
        left = tuple(key for key in self.epochs if key.epoch not in epochs)
        return Keyring(self.signing, self.at_rest, left)

    def over(self, moment: datetime) -> tuple[int, ...]:
        """The epochs whose sealing keys are not needed any more at that moment: they ended `KEPT_FOR` ago."""
        return tuple(key.epoch for key in self.epochs if key.public.valid_until + KEPT_FOR <= moment)

    def announced(self, now: datetime) -> tuple[SealingKey, ...]:
        """The public sealing keys to announce: those of the current epoch and the next two."""
        current = epoch_at(now)
        return tuple(key.public for key in self.epochs if current <= key.epoch <= current + AHEAD)


def create_keys(folder: Path, now: datetime) -> Keyring:
    """Makes `folder` with new keys in it. Raises `FileExistsError` if it is there: existing keys are never
    overwritten."""
    folder.mkdir(mode=0o700)
    write_key(folder / "signing.key", Ed25519PrivateKey.generate().private_bytes_raw())
    write_key(folder / "at-rest.key", secrets.token_bytes(32))
    return load_keys(folder, now)


def load_keys(folder: Path, now: datetime) -> Keyring:
    """The keys of a folder. Makes the sealing keys that it lacks for the current epoch and the next two. Raises
    `Refused` for a missing or damaged key, `Unreachable` for the disk's trouble."""
    for epoch in range(epoch_at(now), epoch_at(now) + AHEAD + 1):
        path = folder / f"sealing-{epoch}.key"
        if find_key(path) is None:
            with _disk(path):
                write_key(path, X25519PrivateKey.generate().private_bytes_raw())
    epochs = tuple(
        EpochKey(int(path.stem.removeprefix("sealing-")), X25519PrivateKey.from_private_bytes(read_key(path)))
        for path in sorted(folder.glob("sealing-*.key"))
        if path.stem.removeprefix("sealing-").isdigit()
    )
    signing = Ed25519PrivateKey.from_private_bytes(read_key(folder / "signing.key"))
    return Keyring(signing, read_key(folder / "at-rest.key"), epochs)


def destroy_keys(folder: Path, epochs: Collection[int]) -> None:
    """Overwrites and removes the sealing keys of these epochs. A disk may keep a copy of an overwritten block, so the
    folder should be on an encrypted one. Raises `Unreachable`; the next call destroys what is left."""
    for epoch in epochs:
        path = folder / f"sealing-{epoch}.key"
        with _disk(path), suppress(FileNotFoundError):  # another process was faster
            with path.open("r+b") as file:
                file.write(bytes(32).hex().encode() + b"\n")  # same length: a process that reads it finds a key
                file.flush()
                os.fsync(file.fileno())
            path.unlink()


def write_key(path: Path, key: bytes) -> None:
    """Writes a key file, complete or not at all. Keeps a file that is there: two processes may make the same epoch's
    key at the same time, and the first one counts."""
    partial = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(partial, path)
    finally:
        partial.unlink()


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Puts the folder's changed entries on the disk at the end. Turns `OSError` into `Unreachable`."""
    try:
        yield
        sync_folder(path.parent)
    except OSError as error:
        raise trouble(error, path, f"keys/{path.name}", "written") from None


def read_key(path: Path) -> bytes:
    """The 32 bytes in a key file. Raises `Refused` for a key that is missing or damaged, `Unreachable` for one that
    cannot be read."""
    key = find_key(path)
    if key is None:
        raise Refused(Reason.HOME_INVALID, "this key file is missing", f"keys/{path.name}")
    return key


def find_key(path: Path) -> bytes | None:
    """As `read_key`, but None where the file does not exist."""
    name = f"keys/{path.name}"
    try:
        key = bytes.fromhex(read_own(path, name).decode("utf-8-sig").strip())
    except FileNotFoundError:
        return None
    except ValueError:
        raise Refused(Reason.HOME_INVALID, "this key file is damaged", name) from None
    if len(key) != 32:
        raise Refused(Reason.HOME_INVALID, "this key file is damaged", name)
    return key
