"""Ours first: it knows how to import the Kafka library without the warning that the library raises."""

import referral_bus.broker.kafka  # noqa: F401
