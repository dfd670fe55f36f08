"""Finds what a new version of the register cuts off: agencies whose words would no longer count, and agreements that
are no longer listed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from referral_bus.federation.register import Register


@dataclass(frozen=True, slots=True)
class Open:
    """The numbers of open referrals to an agency, and of those past a deadline, as the agency itself has announced."""

    referrals: int
    overdue: int


def left_by(old: Register, new: Register) -> list[str]:
    """The agencies that the old version believes and the new one does not, at the time when the new one is issued."""
    now = new.content.issued_at
    return sorted(old.believed(now) - new.believed(now))


def cut_off(old: Register, new: Register, counts: Mapping[str, Open] | None = None) -> list[str]:
    """One line for stewards for each agency and agreement that is cut off. Without `counts` the lines do not say how
    much is open."""
    gone = left_by(old, new)
    said = [_agency(code, new, counts) for code in gone]
    return [*said, *_agreements(old, new, gone)]


def _agency(code: str, new: Register, counts: Mapping[str, Open] | None) -> str:
    listed = new.agency(code) is not None
    how = "is closed with no valid key left" if listed else "is not listed any more"
    much = ""
    if counts is not None:
        found = counts.get(code)
        much = "how much is open there could not be read; " if found is None else f"{_number(found)}; "
    return f"{code} {how}: {much}all its open referrals and erasures end; keep it listed with member_until and its keys"


def _number(found: Open) -> str:
    return f"{found.referrals} open referrals to it, {found.overdue} of them overdue"


def _agreements(old: Register, new: Register, gone: list[str]) -> Iterator[str]:
    """The lines for agreements; those of agencies in `gone` are covered by the agency's own line."""
    kept = {(each.sender, each.recipient) for each in new.content.agreements}
    for each in old.content.agreements:
        pair = (each.sender, each.recipient)
        if pair not in kept and not set(pair) & set(gone):
            yield (
                f"the agreement from {each.sender} to {each.recipient} is not listed any more: the two stop hearing of "
                "each other's keys; keep it listed with an `until` that has passed"
            )
