from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.bench import Bench, bench
from tests.kit.people import RECIPIENT, SENDER, THIRD


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    """Two agencies that may refer to each other and know each other's keys."""
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        yield made


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Bench]:
    """Three of them."""
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as made:
        yield made
