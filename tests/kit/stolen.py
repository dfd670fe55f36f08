"""An agency whose signing key was stolen, or renewed, goes on with another one."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.federation.keyring import Keyring
from referral_bus.federation.register_models import SigningKey
from referral_bus.wire.signing import key_id_of
from tests.kit.bench import Bench
from tests.kit.registers import changed


def revoke_stolen_key(bench: Bench, code: str, *, drop: bool = False) -> None:
    """The key it works with is revoked, or dropped, in a new register that lists another one, with which it works."""
    stolen = key_id_of(bench[code].keyring.signing.public_key().public_bytes_raw())
    others = tuple(key for key in _listed(bench, code) if key.key_id != stolen)
    [fallen] = (key for key in _listed(bench, code) if key.key_id == stolen)
    revoked = () if drop else (fallen.model_copy(update={"revoked_at": bench.clock()}),)
    _work_with_another(bench, code, (*others, *revoked), fallen)


def renew_key(bench: Bench, code: str) -> None:
    """It works with another key from now on; what it has said under the one before still counts."""
    listed = _listed(bench, code)
    _work_with_another(bench, code, listed, listed[0])


def _listed(bench: Bench, code: str) -> tuple[SigningKey, ...]:
    return next(each.signing_keys for each in bench.register.content.agencies if each.code == code)


def _work_with_another(bench: Bench, code: str, beside: tuple[SigningKey, ...], like: SigningKey) -> None:
    new = Ed25519PrivateKey.generate()
    public = {"public_key": new.public_key().public_bytes_raw().hex(), "revoked_at": None}
    keys = (*beside, like.model_copy(update=public))
    agencies = tuple(
        each.model_copy(update={"signing_keys": keys}) if each.code == code else each
        for each in bench.register.content.agencies
    )
    bench.register = changed(bench.register, agencies=agencies, version=bench.register.version + 1)
    station = bench[code]
    station.keyring = Keyring(new, station.keyring.at_rest, station.keyring.epochs)
    bench.generated = replace(bench.generated, agency_keys=dict(bench.generated.agency_keys) | {code: new})
    station.reopen()
