"""The table of outcomes and codes, written out once more by hand, and what must hold for each row."""

import re
from typing import get_args

import pytest

from schemas.outcomes import CODES, FINAL_OUTCOMES, Code, CodeRule, Outcome, WhoActs

NONE, REFUSED, HELD, STORED = None, "REFUSED", "HELD", "STORED"
TABLE = {
    "TOO_LARGE": (NONE, "operators", False, False),
    "SIGNATURE_INVALID": (NONE, "operators", False, False),
    "SENDER_UNKNOWN": (NONE, "operators", False, False),
    "SENDER_REVOKED": (NONE, "operators", False, False),
    "NOT_ADDRESSED_HERE": (NONE, "operators", False, False),
    "MALFORMED": (REFUSED, "writer's software", False, False),
    "VALUE_REFUSED": (REFUSED, "writer's software", False, True),
    "SCHEMA_UNKNOWN": (HELD, "recipient upgrades", True, True),
    "CODE_UNKNOWN": (HELD, "recipient upgrades", True, True),
    "REGISTER_NEWER": (HELD, "by itself", True, True),
    "NOT_AGREED": (REFUSED, "sender", False, True),
    "CONSENT_INVALID": (REFUSED, "sender", False, True),
    "NOT_A_PARTY": (REFUSED, "operators", False, True),
    "REFERRAL_UNKNOWN": (REFUSED, "operators", False, True),
    "OPEN_FAILED": (REFUSED, "sender", False, True),
    "TRANSITION_REFUSED": (REFUSED, "writer", False, True),
    "EQUIVOCATION": (REFUSED, "operators", False, False),
    "OLD_INCARNATION": (REFUSED, "by itself", False, False),
    "HANDOVER_EXHAUSTED": (STORED, "recipient", True, True),
    "DISCARDED": (REFUSED, "recipient", False, True),
}
"""Code: outcome, who acts, whether a retry can help, whether the event uses up its place."""


def rule(code: str) -> CodeRule:
    return CODES[Code(code)]


@pytest.mark.parametrize("code", TABLE)
def test_a_code_means_what_the_table_says(code: str) -> None:
    found = rule(code)
    assert (found.outcome, found.who_acts, found.retry_helps, found.place) == TABLE[code]


def test_every_code_has_one_row() -> None:
    assert set(TABLE) == set(Code) == set(CODES)


def test_the_outcomes_are_six_and_three_of_them_are_final() -> None:
    assert list(Outcome) == ["STORED", "ERASED", "REFUSED", "HELD", "MISSING", "RESEAL"]
    assert {"STORED", "ERASED", "REFUSED"} == FINAL_OUTCOMES


@pytest.mark.parametrize("code", [code for code, row in TABLE.items() if row[0] is NONE])
def test_what_is_not_believed_owes_no_receipt_and_uses_up_nothing(code: str) -> None:
    assert not rule(code).place
    assert not rule(code).retry_helps


def test_only_what_is_held_or_waits_for_the_agencys_system_can_be_retried() -> None:
    helped = {code for code in Code if CODES[code].retry_helps}
    assert helped == {code for code in Code if CODES[code].outcome is Outcome.HELD} | {Code.HANDOVER_EXHAUSTED}


@pytest.mark.parametrize("code", TABLE)
def test_a_code_is_its_own_name_explained_in_one_sentence(code: str) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)
    assert rule(code).when.endswith(".")
    assert rule(code).when.count(".") == 1
    assert rule(code).who_acts in get_args(WhoActs)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CODES[Code.MALFORMED] = rule("MALFORMED")  # type: ignore[index]
