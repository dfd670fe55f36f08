"""The demonstration's three stewards, of whom two must sign."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.demo.federation import AgencyKey, SignedRegister, Terms, example_template, make_federation
from referral_bus.clock import system_clock
from referral_bus.federation.register import Register, render_register
from referral_bus.federation.trust import render_signatures, sign_register

FEDERATION = "demonstration"
LASTS = timedelta(days=30)


class DemoStewards:
    """Three stewards whose keys exist only in this process."""

    def __init__(self) -> None:
        self._keys = {f"steward {number}": Ed25519PrivateKey.generate() for number in (1, 2, 3)}

    @property
    def first(self) -> Ed25519PrivateKey:
        return self._keys["steward 1"]

    def first_register(self, keys: Mapping[str, AgencyKey]) -> SignedRegister:
        """The example register with these agencies' keys."""
        terms = Terms(federation=FEDERATION, topic_prefix="referral", now=system_clock(), lasts=LASTS)
        return make_federation(example_template(), keys, self._keys, terms)

    def closed(self, register: Register, code: str, successor: str, now: datetime) -> SignedRegister:
        """The next version of a register: the agreements to refer to agency `code` have ended at `now`, and `successor`
        is named."""
        content = register.content
        second = now.replace(microsecond=0)
        agreements = tuple(
            each.model_copy(update={"until": second}) if each.recipient == code else each for each in content.agreements
        )
        agencies = tuple(
            each.model_copy(update={"succeeded_by": successor}) if each.code == code else each
            for each in content.agencies
        )
        update = {
            "version": content.version + 1,
            "issued_at": second,
            "agreements": agreements,
            "agencies": agencies,
        }
        data = render_register(content.model_copy(update=update))
        signatures = [sign_register(data, self._keys[name]) for name in ("steward 2", "steward 3")]
        return SignedRegister(data, render_signatures(signatures))
