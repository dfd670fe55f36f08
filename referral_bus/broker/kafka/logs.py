"""Filters the Kafka library's log: at DEBUG the library writes keys, values and passwords, and while a broker is away
it writes twenty lines a second."""

import logging
import time
from collections.abc import Callable

FLOOR = logging.WARNING
REPEAT_AFTER_S = 60.0
REMEMBERED = 500


class KafkaLogGuard(logging.Filter):
    """Drops records below `FLOOR`, even if a logger's level is lowered later, and a message that was logged within the
    last `REPEAT_AFTER_S`. `clock` gives seconds."""

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
    """Adds the filter to every logger of the library, since a logger's filters do not apply to its children. Called
    before every client is made. A logger that is made later inherits its level from `kafka`."""
    for name in ("kafka", *list(logging.root.manager.loggerDict)):
        if name != "kafka" and not name.startswith("kafka."):
            continue
        logger = logging.getLogger(name)
        if not any(isinstance(each, KafkaLogGuard) for each in logger.filters):
            logger.addFilter(KafkaLogGuard())
        if name == "kafka" or logger.level != logging.NOTSET:
            logger.setLevel(max(FLOOR, logger.level))
