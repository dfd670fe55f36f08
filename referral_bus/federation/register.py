"""The register of the federation: its agencies, their keys, and the agreements by which one may refer to another. Pure
look-ups."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from pydantic import ValidationError

from referral_bus.federation.register_models import Agency, RegisterFile, SigningKey, StewardKey
from referral_bus.federation.register_problem import RegisterProblem
from referral_bus.federation.register_rules import problems
from referral_bus.federation.yaml_strict import dump_yaml, load_yaml
from referral_bus.wire.envelope import STEWARD
from schemas.problems import ProblemKind
from schemas.problems import problems as field_problems


@dataclass(frozen=True)
class Register:
    """One version of the register. `sha256` is the hash of the exact bytes of its file, in hex."""

    content: RegisterFile = field(repr=False)
    sha256: str

    @property
    def federation(self) -> str:
        return self.content.federation

    @property
    def version(self) -> int:
        return self.content.version

    def expired(self, now: datetime) -> bool:
        """Whether the register is past its end. An expired one stops new referrals only; answers, receipts and erasures
        of existing ones go on."""
        return now >= self.content.expires_at

    def agency(self, code: str) -> Agency | None:
        return self._agencies.get(code)

    def signing_key(self, key_id: str) -> tuple[str, SigningKey | StewardKey] | None:
        """The owner (an agency's code, or `envelope.STEWARD`) and the key, whether it is usable now or not."""
        return self._keys.get(key_id)

    def believes(self, code: str, key_id: str, now: datetime) -> bool:
        """Whether records that the agency `code` signed with this key still count: the register lists the key for it
        and has not revoked it. A key whose validity has merely ended was the agency's own when it signed."""
        found = self.signing_key(key_id)
        return found is not None and found[0] == code and not found[1].revoked(now)

    def witnesses(self, code: str, now: datetime) -> int:
        """How many other agencies must confirm the clock of the agency `code` before it destroys something for good:
        two, or one if it has an agreement with one member only, since it hears no other."""
        partners = [self.agency(each) for each in self.parties(code)]
        return min(2, sum(agency is not None and agency.member(now) for agency in partners))

    def agreed(self, sender: str, recipient: str, now: datetime) -> bool:
        """Whether `sender` may start referrals to `recipient`: an agreement is in force, and both are members."""
        until = self._agreements.get((sender, recipient))
        if until is None or now >= until:
            return False
        return all(self._agencies[code].member(now) for code in (sender, recipient))

    def parties(self, code: str) -> frozenset[str]:
        """The agencies with which the register lists an agreement of `code`, in either direction, ended ones
        included."""
        return self._parties.get(code, frozenset())

    def has_inbox(self, code: str) -> bool:
        """Whether the agency has an inbox: all have one but pure observers. An agency that only starts referrals gets
        receipts and answers there."""
        agency = self._agencies.get(code)
        if agency is None:
            return False
        return agency.receives_referrals or agency.starts_referrals or bool(self.parties(code))

    def inbox(self, code: str) -> str | None:
        """The topic of the agency's inbox; None for a pure observer or an unknown agency."""
        return f"{self._prefix}.inbox.{code}.v1" if self.has_inbox(code) else None

    def announcement(self, code: str) -> str | None:
        """The topic of the agency's announcements; None for an agency without an inbox."""
        return f"{self._prefix}.announcement.{code}.v1" if self.has_inbox(code) else None

    @property
    def notices(self) -> str:
        return f"{self._prefix}.notices.v1"

    @property
    def register_topic(self) -> str:
        return f"{self._prefix}.register.v1"

    def departed(self, now: datetime) -> tuple[str, ...]:
        """The agencies whose membership has ended."""
        return tuple(each.code for each in self.content.agencies if each.member_until and each.member_until <= now)

    def believed(self, now: datetime) -> frozenset[str]:
        """The agencies that can still write and receive records: those with an inbox that are members, or have left and
        still have a valid key. All others have left for good."""
        return frozenset(code for code, each in self._agencies.items() if self.has_inbox(code) and each.speaks(now))

    @property
    def listed(self) -> frozenset[str]:
        """Every agency with an inbox, members or not."""
        return frozenset(code for code in self._agencies if self.has_inbox(code))

    @property
    def _prefix(self) -> str:
        return self.content.cluster.topic_prefix

    @cached_property
    def _agencies(self) -> Mapping[str, Agency]:
        return {agency.code: agency for agency in self.content.agencies}

    @cached_property
    def _keys(self) -> Mapping[str, tuple[str, SigningKey | StewardKey]]:
        found: dict[str, tuple[str, SigningKey | StewardKey]] = {
            key.key_id: (STEWARD, key) for key in self.content.stewards.keys
        }
        for agency in self.content.agencies:
            found.update({key.key_id: (agency.code, key) for key in agency.signing_keys})
        return found

    @cached_property
    def _agreements(self) -> Mapping[tuple[str, str], datetime]:
        return {(agreement.sender, agreement.recipient): agreement.until for agreement in self.content.agreements}

    @cached_property
    def _parties(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for sender, recipient in self._agreements:
            found.setdefault(sender, set()).add(recipient)
            found.setdefault(recipient, set()).add(sender)
        return {code: frozenset(others) for code, others in found.items()}


def parse_register(data: bytes, known_services: Collection[str], *, template: bool = False) -> Register:
    """The register in a file's bytes. Raises `Refused` (REGISTER_INVALID) for the first mistake. Does not check
    signatures; `trust` does. A template is a register without stewards and keys."""
    register = read_register(data)
    for problem in problems(register.content, known_services, template):
        raise problem.refused()
    return register


def read_register(data: bytes) -> Register:
    """The register in a file's bytes, with each field checked by itself. `parse_register` also checks the rules across
    fields. Raises `Refused` (REGISTER_INVALID)."""
    value = load_yaml(data)
    try:
        content = RegisterFile.model_validate(value)
    except ValidationError as error:
        first = field_problems(error)[0]
        raise RegisterProblem(first.path, _ADVICE.get(first.kind, _FORM)).refused() from None
    return Register(content, hashlib.sha256(data).hexdigest())


def render_register(content: RegisterFile) -> bytes:
    """The bytes of a register file, from which `read_register` reads the same content."""
    return dump_yaml(content.model_dump(by_alias=True, exclude_none=True))


_ADVICE: dict[ProblemKind, str] = {
    "missing": "this field is missing; add it",
    "unknown_field": "a field here is not known to this version of the software; remove it, or upgrade",
    "too_long": "too long or too many; shorten it",
}
_FORM = "not the kind of value that this field takes; times are UTC as 2026-01-31T00:00:00Z, keys lower-case hex"
