"""Why a record did not get into Kafka: what a person is told, and what has to be done. A closed table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import get_args

from referral_bus.broker.protocols import SendFailure


@dataclass(frozen=True, slots=True)
class SendFailureRule:
    """`said` fits after "cannot be sent:" and has a place for the agency; `advice` is for the operators of the bus, who
    mend every one of these. What waits is sent by itself once that is done."""

    said: str
    advice: str


_NO_ANSWER = SendFailureRule("Kafka does not answer", "look at Kafka, its address in the settings, and the network")

SEND_FAILURES: Mapping[SendFailure, SendFailureRule] = MappingProxyType(
    {
        "timed_out": _NO_ANSWER,
        "abandoned": _NO_ANSWER,
        "topic_missing": SendFailureRule("Kafka has no inbox of {agency}", "make it with `register apply`"),
        "refused": SendFailureRule(
            "Kafka does not let us write to the inbox of {agency}", "give this agency's Kafka user that right"
        ),
        "too_large": SendFailureRule(
            "the inbox of {agency} takes no record of this size", "mend its max.message.bytes with `register apply`"
        ),
        "policy": SendFailureRule(
            "a rule of Kafka refuses the record for {agency}", "look at the settings of that topic and of the brokers"
        ),
    }
)


def known_failure(word: str | None) -> SendFailure | None:
    """As the ledger has written it down; a word of other software is None."""
    return next((failure for failure in get_args(SendFailure) if failure == word), None)


def said_of(failure: SendFailure, agency: str) -> str:
    return SEND_FAILURES[failure].said.format(agency=agency)


def notice_code(failure: SendFailure) -> str:
    """As the operators read it in a notice."""
    return f"NOT_SENT_{failure.upper()}"


TOLD_EVERY = timedelta(minutes=2)
"""So often the operators get a notice of a failure that lasts."""

MENDED_AFTER = timedelta(minutes=5)
"""A service that has sent no such notice for so long and goes on announcing itself sends again; one may be lost."""

NOTICE_FAILURES: Mapping[str, SendFailure] = MappingProxyType(
    {notice_code(failure): failure for failure in get_args(SendFailure)}
)
NOTICE_CODES = frozenset(NOTICE_FAILURES)


def advice_of(code: str) -> str | None:
    """What the operators of the bus do about a notice with this code; None where it is about something else."""
    failure = NOTICE_FAILURES.get(code)
    return SEND_FAILURES[failure].advice if failure else None
