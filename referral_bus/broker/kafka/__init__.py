"""Kafka behind the protocols of `referral_bus.broker`. No other package imports the Kafka library."""

import warnings

with warnings.catch_warnings():
    # The library loads its own schemas by a function that Python has deprecated, which warns at every start.
    warnings.simplefilter("ignore", DeprecationWarning)

    from referral_bus.broker.kafka.admin import KafkaTopicAdmin
    from referral_bus.broker.kafka.broker import KafkaBroker
    from referral_bus.broker.kafka.sender import SenderLimits
    from referral_bus.broker.kafka.settings import Connection, Security
    from referral_bus.broker.kafka.unpacking import Unpacking

__all__ = ["Connection", "KafkaBroker", "KafkaTopicAdmin", "Security", "SenderLimits", "Unpacking"]
