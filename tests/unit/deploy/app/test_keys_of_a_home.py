"""Sealing keys in a home: those that are over go at the next opening, and a running service forgets them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from deploy.app.agency_client import open_client
from referral_bus.clock import system_clock
from referral_bus.federation.keyring import write_key
from referral_bus.wire.signing import key_id_of
from schemas.sealing_keys import epoch_at
from tests.kit.command import Command
from tests.unit.deploy.app.conftest import Federation

LONG_OVER, FAR_AHEAD = epoch_at(system_clock()) - 3, epoch_at(system_clock()) + 40


def _file(home: Path, epoch: int) -> Path:
    return home / "keys" / f"sealing-{epoch}.key"


@pytest.fixture
def key_id(federation: Federation) -> str:
    """Of a key that is over; another one was made by a clock that was years ahead."""
    old = X25519PrivateKey.generate()
    write_key(_file(federation.recipient.home, LONG_OVER), old.private_bytes_raw())
    write_key(_file(federation.recipient.home, FAR_AHEAD), X25519PrivateKey.generate().private_bytes_raw())
    return key_id_of(old.public_key().public_bytes_raw())


@pytest.mark.usefixtures("key_id")
def test_any_command_that_opens_the_ledger_destroys_what_is_over(federation: Federation, command: Command) -> None:
    home = federation.recipient.home
    assert command(federation.recipient, "inbox").code == 0
    assert not _file(home, LONG_OVER).exists()
    assert _file(home, FAR_AHEAD).exists()
    assert all(_file(home, epoch_at(system_clock()) + ahead).exists() for ahead in range(3))


def test_whoever_works_on_with_the_home_has_forgotten_the_key(federation: Federation, key_id: str) -> None:
    client = open_client(federation.recipient.home)
    assert client.keyring.find_sealing(key_id) is not None
    client.renew_keys()
    assert client.keyring.find_sealing(key_id) is None
    assert {key.epoch for key in client.keyring.announced(client.clock())} <= {
        key.epoch for key in client.keyring.epochs
    }
    client.close()
