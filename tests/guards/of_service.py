"""A service's process: its end, and health and metrics under clients that do not let go."""

from tests.guards.guard import Guard

ENDING = ("tests/unit/deploy/app/test_shutdown.py",)
HTTP = ("tests/unit/deploy/app/test_health_http.py",)

SERVICE = (
    Guard(
        "a signal that wakes up another thread ends the service",
        "deploy/app/service/shutdown.py",
        "    while not stop.wait(LOOK_S):\n        pass\n",
        "    stop.wait()\n",
        ENDING,
    ),
    Guard(
        "the kernel ends a service that cannot end itself",
        "deploy/app/service/shutdown.py",
        "        signal.setitimer(signal.ITIMER_REAL, promised_s)\n",
        "",
        ENDING,
    ),
    Guard(
        "a request has a limit of time as a whole",
        "deploy/app/service/health_http.py",
        "        if left_s <= 0:\n            raise TimeoutError\n",
        "        left_s = max(left_s, 5.0)\n",
        HTTP,
    ),
    Guard(
        "slow clients cannot take every place",
        "deploy/app/service/health_http.py",
        "                _end(oldest)  # its thread reads the end of the connection, and closes it\n",
        "                pass\n",
        HTTP,
    ),
    Guard(
        "requests that are answered at once are bounded",
        "deploy/app/service/health_http.py",
        "        if not server.answering.acquire(blocking=False):\n",
        "        if not server.answering.acquire(blocking=False) and False:\n",
        HTTP,
    ),
    Guard(
        "a service that its ledger has stopped ends with the reason",
        "deploy/app/service/shutdown.py",
        "    if finished and supervisor.fatal is not None:\n        raise supervisor.fatal\n",
        "",
        ENDING,
    ),
)
