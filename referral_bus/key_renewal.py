"""Sealing keys as time goes by: the next ones are made ahead, and those that are over are destroyed.

A clock that ran a year ahead would have us destroy keys that are still needed, and nothing brings them back. So a key
is over only when other agencies' signed announcements agree with our clock; without them nothing is destroyed.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from referral_bus.federation.keyring import Keyring, destroy_keys, load_keys
from referral_bus.ledger.peers import agreed_time
from referral_bus.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Renewed:
    """The keys to work with from now on, and the epochs whose keys are gone."""

    keyring: Keyring
    destroyed: tuple[int, ...]


def renew_keys(folder: Path, ledger: Ledger, now: datetime, witnesses: int = 2) -> Renewed:
    """Makes what is missing ahead, destroys what is over. Raises `Unreachable` while the disk or the ledger does not
    answer. `witnesses` is as for `agreed_time`."""
    keyring = load_keys(folder, now)
    if not keyring.over(now):
        return Renewed(keyring, ())
    with ledger.read() as tx:
        agreed = agreed_time(tx, now, witnesses)
    over = () if agreed is None else keyring.over(agreed)
    destroy_keys(folder, over)
    return Renewed(keyring.without(over), over)
