"""Every guard of ingest, relay, ledger, erasure, hand-over and monitor, in the order in which a record meets them."""

from tests.guards.of_erasure import ERASURE
from tests.guards.of_handover import HAND_OVER
from tests.guards.of_ingest import INGEST
from tests.guards.of_monitor import WATCH
from tests.guards.of_sending import SENDING

GUARDS = (*INGEST, *SENDING, *ERASURE, *HAND_OVER, *WATCH)
