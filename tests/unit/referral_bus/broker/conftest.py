"""Ours first: it knows how to import the Kafka library without the warning that the library raises."""

from collections.abc import Iterator

import pytest

import referral_bus.broker.kafka  # noqa: F401
from tests.kit.kafka_stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.connects.set()
    stage.finds.set()
    for producer in stage.producers:
        for _, _, future in producer.sent:
            if not future.is_done:
                future.success(None)
    stage.sender.close()
