"""What an agency's own system imports: everything here stays, everything else may move.

from deploy.agency import open_client, parse_requests
"""

from consumers.agency.handover import Handler, NotNow
from deploy.app.agency_client import AgencyClient, Case, open_client
from producers.publish import Published
from producers.request_file import parse as parse_requests
from referral_bus.errors import BusError, Reason, Refused, RefusedEach, Unreachable
from referral_bus.ledger.handovers import Received
from referral_bus.ledger.referrals import Referral
from referral_bus.stages import Stage, Standing
from schemas.events import ReferralKey
from schemas.lifecycle import Status
from schemas.personal import ReferralBody, StatusBody
from schemas.referral_request import ReferralRequest

__all__ = [
    "AgencyClient",
    "BusError",
    "Case",
    "Handler",
    "NotNow",
    "Published",
    "Reason",
    "Received",
    "Referral",
    "ReferralBody",
    "ReferralKey",
    "ReferralRequest",
    "Refused",
    "RefusedEach",
    "Stage",
    "Standing",
    "Status",
    "StatusBody",
    "Unreachable",
    "open_client",
    "parse_requests",
]
