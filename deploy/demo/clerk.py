"""A scripted clerk: answers every routine referral to the agency by itself. Urgent ones are left to people.

It is an ordinary Python handler (`handler = "deploy.demo.clerk:clerk"` in the settings), and an example of one.
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
    """Called once when the service starts."""

    def take(received: Received) -> None:
        if received.side is not Side.RECIPIENT or not isinstance(received.body, ReferralBody):
            return
        referral_id = str(received.referral.referral_id)
        for verb, detail in SCRIPTS[received.referral.referral_id.int % len(SCRIPTS)]:
            referral = client.case(referral_id).referral
            if referral.priority != "routine":
                return
            if referral.status in MOVE_BY_VERB[verb].source:  # handed over again: what was said is not said twice
                client.move(verb, referral_id, detail)

    return take
