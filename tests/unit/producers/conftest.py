from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.bench import Bench, bench
from tests.kit.people import RECIPIENT, SENDER, THIRD


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Bench]:
    """Three agencies that may all refer to each other and know each other's keys."""
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as made:
        yield made
