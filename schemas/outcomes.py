"""What a recipient's receipt can say of an event, and why. Receipts, documentation, vectors and notices all use this
one table."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Outcome(StrEnum):
    """What a storage receipt says of one copy of one event. "Kept" means: in the recipient's ledger."""

    STORED = "STORED"  # in the recipient's ledger
    ERASED = "ERASED"  # the recipient has a tombstone of the referral, and has not opened the event
    REFUSED = "REFUSED"  # the recipient will never store it; it uses up its place in the order, see `CodeRule.place`
    HELD = "HELD"  # the bytes are kept; what `CodeRule.who_acts` names must happen before the event can be judged
    MISSING = "MISSING"  # not kept: an earlier event of its writer has not arrived
    RESEAL = "RESEAL"  # not kept: the recipient has destroyed the key that it was sealed to


FINAL_OUTCOMES = frozenset({Outcome.STORED, Outcome.ERASED, Outcome.REFUSED})


class Code(StrEnum):
    """Why a recipient did not store an event, or could not hand it over. A closed list; receipts, logs, metrics and
    notices all use these words."""

    TOO_LARGE = "TOO_LARGE"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SENDER_UNKNOWN = "SENDER_UNKNOWN"
    SENDER_REVOKED = "SENDER_REVOKED"
    NOT_ADDRESSED_HERE = "NOT_ADDRESSED_HERE"
    MALFORMED = "MALFORMED"
    VALUE_REFUSED = "VALUE_REFUSED"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    REGISTER_NEWER = "REGISTER_NEWER"
    NOT_AGREED = "NOT_AGREED"
    CONSENT_INVALID = "CONSENT_INVALID"
    NOT_A_PARTY = "NOT_A_PARTY"
    REFERRAL_UNKNOWN = "REFERRAL_UNKNOWN"
    OPEN_FAILED = "OPEN_FAILED"
    TRANSITION_REFUSED = "TRANSITION_REFUSED"
    EQUIVOCATION = "EQUIVOCATION"
    OLD_INCARNATION = "OLD_INCARNATION"
    HANDOVER_EXHAUSTED = "HANDOVER_EXHAUSTED"
    DISCARDED = "DISCARDED"


WhoActs = Literal["operators", "writer's software", "recipient upgrades", "by itself", "sender", "writer", "recipient"]


@dataclass(frozen=True, slots=True)
class CodeRule:
    """What follows from a code. `when` says when it applies. `outcome` is None where the writer is not proved, so that
    no receipt is owed. `who_acts` names the one who can help, `retry_helps` tells whether the same bytes can be stored
    later. `place` tells whether the refused event uses up its place in the order."""

    when: str
    outcome: Outcome | None
    who_acts: WhoActs
    retry_helps: bool = False
    place: bool = True


_R, _H = Outcome.REFUSED, Outcome.HELD

CODES = MappingProxyType(
    {
        Code.TOO_LARGE: CodeRule("The record is over 64 KiB.", None, "operators", place=False),
        Code.SIGNATURE_INVALID: CodeRule(
            "The signature is missing or wrong, or the writer does not own the key.", None, "operators", place=False
        ),
        Code.SENDER_UNKNOWN: CodeRule("The key stands in no register we know.", None, "operators", place=False),
        Code.SENDER_REVOKED: CodeRule("The key is revoked or not valid now.", None, "operators", place=False),
        Code.NOT_ADDRESSED_HERE: CodeRule("Another agency is the addressee.", None, "operators", place=False),
        Code.MALFORMED: CodeRule("Authentic, but it does not decode.", _R, "writer's software", place=False),
        Code.VALUE_REFUSED: CodeRule("A value breaks the contract.", _R, "writer's software"),
        Code.SCHEMA_UNKNOWN: CodeRule("A schema newer than our software.", _H, "recipient upgrades", True),
        Code.CODE_UNKNOWN: CodeRule("A code newer than our lists.", _H, "recipient upgrades", True),
        Code.REGISTER_NEWER: CodeRule(
            "It cites a register we do not have yet, or ours has expired and it starts a referral.",
            _H,
            "by itself",
            True,
        ),
        Code.NOT_AGREED: CodeRule("No agreement in force lets the sender refer to us.", _R, "sender"),
        Code.CONSENT_INVALID: CodeRule("Consent is missing, has expired, or names another agency.", _R, "sender"),
        Code.NOT_A_PARTY: CodeRule("A new referral whose writer is not its sender.", _R, "operators"),
        Code.REFERRAL_UNKNOWN: CodeRule("The writer has no referral with this id with us.", _R, "operators"),
        Code.OPEN_FAILED: CodeRule("We have the key, but the sealed part does not open.", _R, "sender"),
        Code.TRANSITION_REFUSED: CodeRule("The life cycle does not allow this move.", _R, "writer"),
        Code.EQUIVOCATION: CodeRule("Another event stands at the same place.", _R, "operators", place=False),
        Code.OLD_INCARNATION: CodeRule(
            "Written before the writer's ledger was restored.", _R, "by itself", place=False
        ),
        Code.HANDOVER_EXHAUSTED: CodeRule(
            "Stored, but the agency's own system did not take it.", Outcome.STORED, "recipient", True
        ),
        Code.DISCARDED: CodeRule("The recipient's staff discarded it, with a reason.", _R, "recipient"),
    }
)
