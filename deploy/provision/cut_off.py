"""What a new version of the register would cut off: agencies that could not speak any more, and agreements that are no
longer listed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from referral_bus.federation.register import Register


@dataclass(frozen=True, slots=True)
class Open:
    """The open referrals to an agency, and those of them past a deadline, as it has announced them itself."""

    referrals: int
    overdue: int


def left_by(old: Register, new: Register) -> list[str]:
    """The agencies that could speak under the old version and cannot under the new one, when it is issued."""
    now = new.content.issued_at
    return sorted(old.believed(now) - new.believed(now))


def cut_off(old: Register, new: Register, counts: Mapping[str, Open] | None = None) -> list[str]:
    """What stewards should read before they hand the version out. Without `counts` nothing is said about how much is
    open."""
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
    """Those of agencies that have left are told with them."""
    kept = {(each.sender, each.recipient) for each in new.content.agreements}
    for each in old.content.agreements:
        pair = (each.sender, each.recipient)
        if pair not in kept and not set(pair) & set(gone):
            yield (
                f"the agreement from {each.sender} to {each.recipient} is not listed any more: the two stop hearing of "
                "each other's keys; keep it listed with an `until` that has passed"
            )
