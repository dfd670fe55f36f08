"""An agency whose signing key was stolen goes on with another one."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.federation.keyring import Keyring
from tests.kit.bench import Bench
from tests.kit.registers import changed, with_revoked_key, without_key


def revoke_stolen_key(bench: Bench, code: str, *, drop: bool = False) -> None:
    """The key is revoked, or dropped, in a new register that lists another one, with which the agency works."""
    new = Ed25519PrivateKey.generate()
    old = bench.register
    register = without_key(old, code) if drop else with_revoked_key(old, code, bench.clock())
    listed = old.content.agencies[[each.code for each in old.content.agencies].index(code)].signing_keys[0]
    another = listed.model_copy(update={"public_key": new.public_key().public_bytes_raw().hex()})
    agencies = tuple(
        each.model_copy(update={"signing_keys": (*each.signing_keys, another)}) if each.code == code else each
        for each in register.content.agencies
    )
    bench.register = changed(register, agencies=agencies, version=old.version + 1)
    station = bench[code]
    station.keyring = Keyring(new, station.keyring.at_rest, station.keyring.epochs)
    bench.generated = replace(bench.generated, agency_keys=dict(bench.generated.agency_keys) | {code: new})
    station.reopen()
