"""Calls to Kafka with a time limit of ours. Most calls of the library have none, or one of half a minute."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, TypeVar

from kafka.errors import KafkaError

from referral_bus.broker.kafka.client import as_unreachable
from referral_bus.errors import Reason, Unreachable

T = TypeVar("T")


def in_thread(name: str, what: Callable[[], T]) -> Future[T]:
    """Runs `what` in a daemon thread, which does not keep the process alive. The future gets its result or error."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(what())
        except BaseException as error:  # noqa: BLE001  # `Future.result` raises it again
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future


class AdminCalls:
    """Shares one admin client among all callers. It connects at the first call, and drops the client after any failure:
    a client whose password was refused once never tries again. Safe to use from several threads."""

    def __init__(self, open_admin: Callable[[], Any]) -> None:
        self._open_admin = open_admin
        self._lock = Lock()
        self._opening: Future[Any] | None = None
        self._closed = False

    def call(self, what: Callable[[Any], T], timeout_s: float) -> T:
        """The result of `what`, which gets the client. Raises `Unreachable` after at most `timeout_s`, or when Kafka
        answers with an error; the request may still take effect later."""
        deadline = time.monotonic() + timeout_s
        opening = self._opened()
        used_before = opening.done()
        try:
            return self._ask(opening, what, deadline)
        except Unreachable as error:
            if not used_before or error.reason is not Reason.KAFKA_UNREACHABLE:
                raise
        return self._ask(self._opened(), what, deadline)  # again by a new client: Kafka may have restarted

    def _ask(self, opening: Future[Any], what: Callable[[Any], T], deadline: float) -> T:
        try:
            client = opening.result(max(0.0, deadline - time.monotonic()))
            return in_thread("kafka-call", lambda: what(client)).result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            self._give_up(opening)
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not answer in time.") from None
        except KafkaError as error:
            self._give_up(opening)
            raise as_unreachable(error) from error
        except Unreachable:
            self._give_up(opening)
            raise
        except RuntimeError:  # the library raises it when another thread closed the client meanwhile
            if not self._given_up(opening):
                raise
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not answer an earlier request.") from None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            opening = self._opening
        if opening is not None:
            self._give_up(opening)

    def _opened(self) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("this broker is closed")
            if self._opening is None:
                self._opening = in_thread("kafka-open", self._open_admin)
            return self._opening

    def _given_up(self, opening: Future[Any]) -> bool:
        with self._lock:
            return self._opening is not opening

    def _give_up(self, opening: Future[Any]) -> None:
        with self._lock:
            if self._opening is opening:
                self._opening = None
        opening.add_done_callback(_close)


def _close(opening: Future[Any]) -> None:
    if opening.exception() is None:
        in_thread("kafka-close", opening.result().close)
