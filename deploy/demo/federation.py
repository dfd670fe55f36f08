"""Makes a whole federation from a template of a register without keys, for the demonstration and for tests."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.federation.possession import prove_possession
from referral_bus.federation.register import read_register, render_register
from referral_bus.federation.register_models import Agency, RegisterFile, SigningKey, StewardKey, Stewards
from referral_bus.federation.trust import render_signatures, sign_register

CLOCKS_DIFFER = timedelta(days=1)  # keys are valid from so long before, in case a machine's clock is behind


@dataclass(frozen=True, slots=True)
class AgencyKey:
    """What an agency gives the stewards: its public signing key, and the proof that it has the private one, in hex."""

    public_key: str
    proof: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What the template does not say about a federation. `only`: keep only these agencies and the agreements among
    them; None keeps all."""

    federation: str
    topic_prefix: str
    now: datetime
    threshold: int = 2
    version: int = 1
    lasts: timedelta = timedelta(days=365)
    replication: int = 1
    min_insync: int = 1
    only: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class SignedRegister:
    """The bytes of `register.yaml` and of `register.signatures.yaml`."""

    register: bytes
    signatures: bytes


@dataclass(frozen=True, slots=True)
class GeneratedFederation:
    """A federation with all its private keys: those of agencies by code, those of stewards by name."""

    files: SignedRegister
    agency_keys: Mapping[str, Ed25519PrivateKey]
    steward_keys: Mapping[str, Ed25519PrivateKey]


def example_template() -> bytes:
    """The template that ships with the demonstration: all agencies of the first register, without keys."""
    return (resources.files("deploy.demo") / "register" / "example.yaml").read_bytes()


def agency_key(federation: str, agency: str, private_key: Ed25519PrivateKey) -> AgencyKey:
    return AgencyKey(
        private_key.public_key().public_bytes_raw().hex(), prove_possession(federation, agency, private_key)
    )


def make_federation(
    template: bytes, keys: Mapping[str, AgencyKey], stewards: Mapping[str, Ed25519PrivateKey], terms: Terms
) -> SignedRegister:
    """Puts keys and dates into the template, and signs it with as many stewards' keys as the threshold needs. An agency
    without an entry in `keys` is in the register too, but cannot sign anything."""
    content = _only(read_register(template).content, terms.only)
    now = terms.now.replace(microsecond=0)
    begins, ends = now - CLOCKS_DIFFER, now + terms.lasts
    update = {
        "federation": terms.federation,
        "version": terms.version,
        "issued_at": now,
        "expires_at": ends,
        "stewards": _stewards(stewards, terms.threshold),
        "cluster": content.cluster.model_copy(update=_cluster(terms)),
        "agencies": tuple(_joined(agency, keys.get(agency.code), begins, ends) for agency in content.agencies),
        "agreements": tuple(agreement.model_copy(update={"until": ends}) for agreement in content.agreements),
    }
    register = render_register(content.model_copy(update=update))
    signers = list(stewards.values())[: terms.threshold]
    return SignedRegister(register, render_signatures([sign_register(register, key) for key in signers]))


def generate_federation(template: bytes, terms: Terms, steward_count: int = 3) -> GeneratedFederation:
    """A federation with new keys for every agency that can send or receive, and for the stewards."""
    agency_keys = {
        agency.code: Ed25519PrivateKey.generate()
        for agency in _only(read_register(template).content, terms.only).agencies
        if agency.receives_referrals or agency.starts_referrals
    }
    steward_keys = {f"steward {i + 1}": Ed25519PrivateKey.generate() for i in range(steward_count)}
    keys = {code: agency_key(terms.federation, code, key) for code, key in agency_keys.items()}
    return GeneratedFederation(make_federation(template, keys, steward_keys, terms), agency_keys, steward_keys)


def _only(content: RegisterFile, codes: Collection[str] | None) -> RegisterFile:
    if codes is None:
        return content
    agencies = tuple(
        agency if agency.succeeded_by in codes else agency.model_copy(update={"succeeded_by": None})
        for agency in content.agencies
        if agency.code in codes
    )
    agreements = tuple(a for a in content.agreements if a.sender in codes and a.recipient in codes)
    return content.model_copy(update={"agencies": agencies, "agreements": agreements})


def _cluster(terms: Terms) -> dict[str, str | int]:
    return {
        "topic_prefix": terms.topic_prefix,
        "replication": terms.replication,
        "min_insync": terms.min_insync,
    }


def _stewards(stewards: Mapping[str, Ed25519PrivateKey], threshold: int) -> Stewards:
    keys = tuple(
        StewardKey(name=name, public_key=key.public_key().public_bytes_raw().hex()) for name, key in stewards.items()
    )
    return Stewards(threshold=threshold, keys=keys)


def _joined(agency: Agency, key: AgencyKey | None, begins: datetime, ends: datetime) -> Agency:
    update: dict[str, object] = {"member_from": begins}
    if key is not None:
        listed = SigningKey(public_key=key.public_key, proof=key.proof, valid_from=begins, valid_until=ends)
        update["signing_keys"] = (listed,)
    return agency.model_copy(update=update)
