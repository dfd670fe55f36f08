"""What a recipient can say of an event, and why. One table drives receipts, documentation, vectors and notices."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Outcome(StrEnum):
    """What a storage receipt says of one copy of one event."""

    STORED = "STORED"  # in the recipient's ledger
    ERASED = "ERASED"  # there is a tombstone; it was never opened
    REFUSED = "REFUSED"  # never will be stored; uses up its place in the order
    HELD = "HELD"  # bytes kept; somebody at the recipient must act
    MISSING = "MISSING"  # not kept: something before it has not arrived
    RESEAL = "RESEAL"  # not kept: the key it was sealed to is gone


FINAL_OUTCOMES = frozenset({Outcome.STORED, Outcome.ERASED, Outcome.REFUSED})


class Code(StrEnum):
    """Why an event was not simply stored. Closed, public, and the same word in receipts, logs, metrics and notices."""

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
    """`outcome` is None where nothing is believed yet, so that no receipt is owed. `place` tells whether the refused
    event uses up its place in the order."""

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
        Code.CONSENT_INVALID: CodeRule("Consent is missing, expired, or for somebody else.", _R, "sender"),
        Code.NOT_A_PARTY: CodeRule("A referral that its writer is not the sender of.", _R, "operators"),
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
        Code.DISCARDED: CodeRule("Somebody at the recipient discarded it, with a reason.", _R, "recipient"),
    }
)
