"""Registers that differ from the bench's in one thing."""

from dataclasses import replace
from datetime import datetime

from referral_bus.federation.register import Register


def changed(register: Register, **fields: object) -> Register:
    return replace(register, content=register.content.model_copy(update=fields))


def without_agreement(register: Register, sender: str, recipient: str) -> Register:
    """As if their agreement had ended: it stays listed."""
    ended = tuple(
        agreement.model_copy(update={"until": register.content.issued_at})
        if (agreement.sender, agreement.recipient) == (sender, recipient)
        else agreement
        for agreement in register.content.agreements
    )
    return changed(register, agreements=ended)


def without_key(register: Register, code: str) -> Register:
    """As if nobody had ever listed this agency's key."""
    agencies = tuple(
        agency.model_copy(update={"signing_keys": ()}) if agency.code == code else agency
        for agency in register.content.agencies
    )
    return changed(register, agencies=agencies)


def without_agency(register: Register, code: str) -> Register:
    """As if nobody had ever listed this agency, nor an agreement with it."""
    agencies = tuple(agency for agency in register.content.agencies if agency.code != code)
    agreements = tuple(each for each in register.content.agreements if code not in (each.sender, each.recipient))
    return changed(register, agencies=agencies, agreements=agreements)


def with_revoked_key(register: Register, code: str, at: datetime) -> Register:
    agencies = tuple(
        agency.model_copy(
            update={"signing_keys": tuple(key.model_copy(update={"revoked_at": at}) for key in agency.signing_keys)}
        )
        if agency.code == code
        else agency
        for agency in register.content.agencies
    )
    return changed(register, agencies=agencies)
