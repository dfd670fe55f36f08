from collections.abc import Iterator
from pathlib import Path

import pytest

from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.store import Ledger, create_ledger
from tests.kit.made_once import AT_REST
from tests.kit.people import SENDER


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """SENDER's, new and empty."""
    made = create_ledger(tmp_path / "ledger.sqlite", AtRest(AT_REST), SENDER)
    yield made
    made.close()
