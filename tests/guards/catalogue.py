"""Every guard of ingest, relay, ledger and erasure, in the order in which a record meets them."""

from tests.guards.of_erasure import ERASURE
from tests.guards.of_ingest import INGEST
from tests.guards.of_sending import SENDING

GUARDS = (*INGEST, *SENDING, *ERASURE)
