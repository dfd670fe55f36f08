"""Keeps what the Kafka library logs fit to be kept: at DEBUG it writes out keys, values and passwords, and while a
broker is away it writes twenty lines a second."""

import logging
import time
from collections.abc import Callable

FLOOR = logging.WARNING
REPEAT_AFTER_S = 60.0
REMEMBERED = 500


class KafkaLogGuard(logging.Filter):
    """Drops what is below the floor, whatever level somebody sets later, and a message seen within the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last_seen: dict[tuple[int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < FLOOR:
            return False
        message, now = (record.levelno, str(record.msg)), self._clock()
        if now - self._last_seen.get(message, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return False
        if len(self._last_seen) >= REMEMBERED:
            self._last_seen.clear()
        self._last_seen[message] = now
        return True


def pin_kafka_loggers() -> None:
    """Called before every client is made, because a logger's filters do not reach its children: each one gets its own.
    Those that appear later take their level from `kafka`."""
    for name in ("kafka", *list(logging.root.manager.loggerDict)):
        if name != "kafka" and not name.startswith("kafka."):
            continue
        logger = logging.getLogger(name)
        if not any(isinstance(one, KafkaLogGuard) for one in logger.filters):
            logger.addFilter(KafkaLogGuard())
        if name == "kafka" or logger.level != logging.NOTSET:
            logger.setLevel(max(FLOOR, logger.level))
