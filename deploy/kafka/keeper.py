"""Ends a Kafka whose owner process is gone: `python keeper.py OWNER KAFKA`, two open pidfds inherited from the process
that starts it.

A test run or a demonstration that is killed cannot stop its Kafka; this process outlives it and does. It is run as a
file and imports only the standard library.
"""

import select
import signal
import sys

GRACE_MS = 10_000


def keep(owner: int, kafka: int) -> None:
    """Waits until one of the two processes, given as pidfds, has ended. If it is the owner, ends Kafka: SIGTERM, and
    SIGKILL after `GRACE_MS` milliseconds."""
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
