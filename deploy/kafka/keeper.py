"""Ends a Kafka whose owner is gone: `python keeper.py OWNER KAFKA`, both open pidfds handed down by whoever started it.

A test run or a demonstration that is killed cannot tidy up; this process outlives it and does. It is run as a file,
so it needs nothing but Python itself.
"""

import select
import signal
import sys

GRACE_MS = 10_000


def keep(owner: int, kafka: int) -> None:
    poll = select.poll()
    poll.register(owner, select.POLLIN)
    poll.register(kafka, select.POLLIN)
    if kafka in (handle for handle, _ in poll.poll()):
        return
    signal.pidfd_send_signal(kafka, signal.SIGTERM)
    poll.unregister(owner)
    if not poll.poll(GRACE_MS):
        signal.pidfd_send_signal(kafka, signal.SIGKILL)


if __name__ == "__main__":
    keep(int(sys.argv[1]), int(sys.argv[2]))
