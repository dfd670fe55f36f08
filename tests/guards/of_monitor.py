"""The flow monitor: whom it names, and what it counts."""

from tests.guards.guard import Guard

MONITOR = "tests/unit/consumers/monitor"
UNBELIEVED = "consumers/monitor/unbelieved.py"
REPLAYED = (f"{MONITOR}/test_replayed.py",)

WATCH = (
    Guard(
        "a copy of a genuine record is no forgery",
        UNBELIEVED,
        "        if topic is not None and signed_for(topic, kafka_key(record)):\n",
        "        if False:\n",
        REPLAYED,
    ),
    Guard(
        "a record is called a copy only if the writer that it names owns the key",
        UNBELIEVED,
        "record is not None and writer_of(record) == owner and key.usable",
        "record is not None and key.usable",
        REPLAYED,
    ),
    Guard(
        "a key id without a valid signature accuses no agency",
        UNBELIEVED,
        "    return Forged(UNKNOWN, target)\n\n\ndef own_topic",
        "    return Forged(source, target)\n\n\ndef own_topic",
        REPLAYED,
    ),
    Guard(
        "whom to call about a copy is not the writer of the original",
        "consumers/monitor/needs.py",
        "target if kind is NeedKind.REPLAYED or source == UNKNOWN else source",
        "target if source == UNKNOWN else source",
        REPLAYED,
    ),
)
