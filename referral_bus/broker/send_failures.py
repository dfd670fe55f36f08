"""The reasons why Kafka did not take a record, each with a text for the agency's staff and advice for the operators. A
closed table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import get_args

from referral_bus.broker.protocols import SendFailure


@dataclass(frozen=True, slots=True)
class SendFailureRule:
    """`said` continues "cannot be sent:" and has a placeholder for the agency; `advice` is for the operators of the
    bus, who mend every one of these failures. The service then sends what waits by itself."""

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
    """The failure that the ledger has noted as `word`; None for none, and for a word that this software does not
    know."""
    return next((failure for failure in get_args(SendFailure) if failure == word), None)


def said_of(failure: SendFailure, agency: str) -> str:
    """The text about a failure to send to `agency`."""
    return SEND_FAILURES[failure].said.format(agency=agency)


def notice_code(failure: SendFailure) -> str:
    """The code of the notice by which a service tells the operators of this failure."""
    return f"NOT_SENT_{failure.upper()}"


TOLD_EVERY = timedelta(minutes=2)
"""How often a service sends the operators a notice about a failure that lasts."""

MENDED_AFTER = timedelta(minutes=5)
"""A service that announces itself but has sent no such notice for so long counts as sending again. The time is longer
than two notices' interval, since one may be lost."""

NOTICE_FAILURES: Mapping[str, SendFailure] = MappingProxyType(
    {notice_code(failure): failure for failure in get_args(SendFailure)}
)
NOTICE_CODES = frozenset(NOTICE_FAILURES)


def advice_of(code: str) -> str | None:
    """What the operators of the bus have to do about a notice with this code; None for a notice about something
    else."""
    failure = NOTICE_FAILURES.get(code)
    return SEND_FAILURES[failure].advice if failure else None
