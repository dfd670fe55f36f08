"""Renews an agency's sealing keys: makes those of the next epochs in advance, and destroys those that are not needed
any more.

Under a clock that is a year ahead the service would destroy keys that it still needs, for ever. So it destroys a key
only when signed announcements of other agencies confirm the time of its own clock, and none without them.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from referral_bus.federation.keyring import Keyring, destroy_keys, load_keys
from referral_bus.ledger.peers import agreed_time
from referral_bus.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Renewed:
    """The keys to work with from now on, and the epochs whose keys were destroyed."""

    keyring: Keyring
    destroyed: tuple[int, ...]


def renew_keys(folder: Path, ledger: Ledger, now: datetime, witnesses: int = 2) -> Renewed:
    """Makes the missing sealing keys of the current epoch and the next two, and destroys those that are over. `folder`
    is the home's `keys`, `witnesses` is as for `agreed_time`. Raises `Unreachable` while the disk or the ledger does
    not answer."""
    keyring = load_keys(folder, now)
    if not keyring.over(now):
        return Renewed(keyring, ())
    with ledger.read() as tx:
        agreed = agreed_time(tx, now, witnesses)
    over = () if agreed is None else keyring.over(agreed)
    destroy_keys(folder, over)
    return Renewed(keyring.without(over), over)
