"""Every guard of ingest, relay, ledger, erasure and hand-over, in the order in which a record meets them."""

from tests.guards.of_erasure import ERASURE
from tests.guards.of_handover import HAND_OVER
from tests.guards.of_ingest import INGEST
from tests.guards.of_sending import SENDING

GUARDS = (*INGEST, *SENDING, *ERASURE, *HAND_OVER)
