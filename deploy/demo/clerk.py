"""A scripted clerk: a handler that answers every routine referral to its agency. It leaves urgent ones to people.

It is set like any other Python handler (`handler = "deploy.demo.clerk:clerk"`), and serves as an example of one.
"""

from typing import Any

from deploy.agency import AgencyClient, Handler, Received
from schemas.lifecycle import MOVE_BY_VERB, Side
from schemas.personal import ReferralBody

Script = tuple[tuple[str, dict[str, Any]], ...]

PROVIDES: Script = (
    ("see", {}),
    ("accept", {}),
    ("note", {"business_status": "contact-attempted"}),
    ("start", {}),
    ("complete", {"outcome": "provided"}),
)
SCRIPTS: tuple[Script, ...] = (
    PROVIDES,
    PROVIDES,
    (("see", {}), ("accept", {}), ("start", {}), ("complete", {"outcome": "partly-provided"})),
    (("see", {}), ("reject", {"outcome_reason": "no-capacity"})),
    (("see", {}), ("accept", {}), ("start", {}), ("fail", {"outcome_reason": "client-not-reached"})),
)


def clerk(client: AgencyClient) -> Handler:
    """The factory of the handler; the service calls it once when it starts."""

    def take(received: Received) -> None:
        if received.side is not Side.RECIPIENT or not isinstance(received.body, ReferralBody):
            return
        referral_id = str(received.referral.referral_id)
        for verb, detail in SCRIPTS[received.referral.referral_id.int % len(SCRIPTS)]:
            referral = client.case(referral_id).referral
            if referral.priority != "routine":
                return
            if referral.status in MOVE_BY_VERB[verb].source:  # else it was said before: the event is handed over again
                client.move(verb, referral_id, detail)

    return take
