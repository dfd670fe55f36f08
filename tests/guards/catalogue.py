"""Every guard of Kafka's edge, ingest, relay, ledger, erasure, hand-over, commands and monitor, as a record meets them."""

from tests.guards.of_agency_client import DESK
from tests.guards.of_broker import BROKER
from tests.guards.of_ends import ENDS_AND_WORDS
from tests.guards.of_erasure import ERASURE
from tests.guards.of_handover import HAND_OVER
from tests.guards.of_home import HOME
from tests.guards.of_ingest import INGEST
from tests.guards.of_monitor import WATCH
from tests.guards.of_sending import SENDING
from tests.guards.of_service import SERVICE
from tests.guards.of_trust import TRUST

GUARDS = (*BROKER, *INGEST, *SENDING, *ERASURE, *HAND_OVER, *DESK, *WATCH, *HOME, *SERVICE, *TRUST, *ENDS_AND_WORDS)
