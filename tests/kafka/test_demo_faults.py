"""The demonstration's three stories of trouble, in a world of four agencies over a Kafka of their own."""

import random
import re
from collections.abc import Iterator

import pytest

from deploy.demo.faults import CHILDREN, UNDER_WAY, killed, wiped
from deploy.demo.many import settled
from deploy.demo.monitored import flows, totals
from deploy.demo.narrator import wait_for
from deploy.demo.withdrawal import withdrawn
from deploy.demo.world import World, world
from tests.kit.waiting import PATIENCE_S

pytestmark = pytest.mark.kafka

AGENCIES = ("family-women", "intilish", "public-health", "child-adaptation")
KEPT = "open 0, lost 0, twice 0, out of order 0"


@pytest.fixture
def here() -> Iterator[World]:
    with world(AGENCIES, lambda _: None) as made:
        made.start_services(AGENCIES)
        made.start_monitor()
        made.wait_until_ready(AGENCIES)
        yield made


def test_a_kill_a_wipe_and_a_withdrawal_lose_nothing_and_what_is_told_was_measured(here: World) -> None:
    told: list[str] = []
    for tell in (killed, wiped, withdrawn):
        tell(here, random.Random(1), told.append)
    text = "\n".join(told)

    stored, written = _numbers(r"after (\d+) of (\d+) events", text)
    assert 0 < stored < written == 2 * CHILDREN
    [without] = _numbers(r"(\d+) of them have no receipt yet", text)
    assert UNDER_WAY // 2 <= without <= UNDER_WAY
    assert f"closed {CHILDREN} of {CHILDREN}, {KEPT}" in text
    assert f"closed {UNDER_WAY} of {UNDER_WAY}, {KEPT}" in text
    assert text.count("confirmed by both sides; nothing is left to do. Of its 5 events 0 can be opened.") == 2

    result = settled(here)
    assert result.kept
    assert (result.closed, result.erased) == (result.referrals, 1)
    assert wait_for(lambda: totals(flows(here.monitor)) == (result.referrals, result.closed), PATIENCE_S)


def _numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found is not None
    return [int(number) for number in found.groups()]
