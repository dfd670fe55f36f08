"""What can go wrong, as types. Every message is safe to show and to log: a reason, the field's path, what to do.

    BusError
    ├── Refused       input or state that we do not take; asking again unchanged cannot help; exit code 2
    │   ├── RefusedEach       several mistakes in one input, each with its place
    │   └── LedgerUnusable    the agency's own ledger is missing, damaged or too old: its service ends
    └── Unreachable   Kafka, a ledger or a file that does not answer now; asking again may help; exit code 3

Anything else that is raised is a defect of ours: exit code 1. No message ever holds a value that came from input.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why a command or a call was refused here, before anything travelled. What a recipient says is in
    `schemas.outcomes`; where both mean the same thing they use the same word."""

    # a file or a field
    NOT_JSON = "NOT_JSON"
    TOO_LARGE = "TOO_LARGE"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_UNKNOWN = "FIELD_UNKNOWN"
    TYPE_WRONG = "TYPE_WRONG"
    TIME_NAIVE = "TIME_NAIVE"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    VALUE_REFUSED = "VALUE_REFUSED"
    # the federation's rules
    AGENCY_UNKNOWN = "AGENCY_UNKNOWN"
    RECEIVES_NO_REFERRALS = "RECEIVES_NO_REFERRALS"
    STARTS_NO_REFERRALS = "STARTS_NO_REFERRALS"
    NOT_AGREED = "NOT_AGREED"
    CONSENT_INVALID = "CONSENT_INVALID"
    # the life cycle
    REFERRAL_UNKNOWN = "REFERRAL_UNKNOWN"
    REFERRAL_ERASED = "REFERRAL_ERASED"
    NOT_A_PARTY = "NOT_A_PARTY"
    TRANSITION_REFUSED = "TRANSITION_REFUSED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    # dead letters
    DEAD_LETTER_UNKNOWN = "DEAD_LETTER_UNKNOWN"
    DEAD_LETTER_FINAL = "DEAD_LETTER_FINAL"
    DEAD_LETTER_KEPT = "DEAD_LETTER_KEPT"
    # the agency's own installation
    HOME_INVALID = "HOME_INVALID"
    HOME_READABLE_BY_OTHERS = "HOME_READABLE_BY_OTHERS"
    HOME_OF_ANOTHER_USER = "HOME_OF_ANOTHER_USER"
    SETTINGS_INVALID = "SETTINGS_INVALID"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    LEDGER_BEHIND = "LEDGER_BEHIND"
    INCARNATIONS_USED_UP = "INCARNATIONS_USED_UP"
    FILE_EXISTS = "FILE_EXISTS"
    LEDGER_DAMAGED = "LEDGER_DAMAGED"
    KEY_NOT_IN_REGISTER = "KEY_NOT_IN_REGISTER"
    REGISTER_INVALID = "REGISTER_INVALID"
    REGISTER_UNSIGNED = "REGISTER_UNSIGNED"
    REGISTER_EXPIRED = "REGISTER_EXPIRED"
    REGISTER_OLDER = "REGISTER_OLDER"
    REGISTER_CHANGED = "REGISTER_CHANGED"
    NOT_LOOPBACK = "NOT_LOOPBACK"
    # the local Kafka
    JAVA_MISSING = "JAVA_MISSING"
    JAVA_TOO_OLD = "JAVA_TOO_OLD"
    MAVEN_MISSING = "MAVEN_MISSING"
    JARS_INVALID = "JARS_INVALID"
    JARS_UNREACHABLE = "JARS_UNREACHABLE"
    PORT_TAKEN = "PORT_TAKEN"
    DATA_FOLDER_INVALID = "DATA_FOLDER_INVALID"
    DISK_FULL = "DISK_FULL"
    # something that does not answer
    KAFKA_UNREACHABLE = "KAFKA_UNREACHABLE"
    KAFKA_FAILED = "KAFKA_FAILED"
    LEDGER_UNREACHABLE = "LEDGER_UNREACHABLE"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    OUTPUT_FAILED = "OUTPUT_FAILED"


class BusError(Exception):
    """One reason, where, and what to do about it."""

    exit_code: ClassVar[int] = 1
    retriable: ClassVar[bool] = False

    def __init__(self, reason: Reason, advice: str, path: str | None = None) -> None:
        super().__init__(f"{reason}{f' at {path}' if path else ''}: {advice}")
        self.reason = reason
        self.advice = advice
        self.path = path


class Refused(BusError):
    """Input or state that is not taken. Nothing was changed."""

    exit_code = 2


MOST_MISTAKES = 20


class RefusedEach(Refused):
    """Several mistakes. `each` holds the first `MOST_MISTAKES` in their order, `left_out` counts the others. Reason,
    advice and path are those of the first mistake; `str` gives one line for each."""

    def __init__(self, found: Sequence[Refused]) -> None:
        super().__init__(found[0].reason, found[0].advice, found[0].path)
        self.each = tuple(found[:MOST_MISTAKES])
        self.left_out = len(found) - len(self.each)

    def __str__(self) -> str:
        rest = [f"and {self.left_out} more mistakes"] if self.left_out else []
        return "\n".join([*map(str, self.each), *rest])


def refused_together(found: Sequence[Refused]) -> Refused:
    """One error for one mistake or for several."""
    return found[0] if len(found) == 1 else RefusedEach(found)


class LedgerUnusable(Refused):
    """The ledger is missing, damaged or too old, and waiting does not mend it: a running service ends."""


class Unreachable(BusError):
    """Something outside this process does not answer. Nothing accepted is lost."""

    exit_code = 3
    retriable = True
