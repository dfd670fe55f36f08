"""One real Kafka for a whole test run, started by the first test that asks for it and never left running."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from deploy.kafka.local import KafkaPlan, free_port, start, stop

# A machine that is busy with other things makes generating slow, which says nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; lists are broken at it

RUN_FOLDER = pytest.StashKey[Path]()
RUN_PID = pytest.StashKey[int]()
"""The process whose end is the end of the run: pytest itself, or with pytest-xdist the one that leads the workers."""


def pytest_configure(config: pytest.Config) -> None:
    led = getattr(config, "workerinput", None)
    config.stash[RUN_FOLDER] = Path(led["run_folder"] if led else tempfile.mkdtemp(prefix="referral-bus-tests-"))
    config.stash[RUN_PID] = led["run_pid"] if led else os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["run_folder"] = str(node.config.stash[RUN_FOLDER])
    node.workerinput["run_pid"] = node.config.stash[RUN_PID]


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.stash[RUN_PID] == os.getpid():
        stop(config.stash[RUN_FOLDER] / "kafka")
        shutil.rmtree(config.stash[RUN_FOLDER], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for Kafka is marked so: no one can forget it."""
    for item in items:
        if "kafka_bootstrap" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka_bootstrap(pytestconfig: pytest.Config) -> str:
    """`127.0.0.1:PORT`. Workers that ask at once wait for each other in `start` and get the same one; should this run
    be killed, Kafka ends with it. Each test takes topic names of its own and deletes none."""
    port = free_port(2)
    plan = KafkaPlan(
        data_folder=pytestconfig.stash[RUN_FOLDER] / "kafka",
        port=port,
        controller_port=port + 1,
        ready_within_s=180,  # whatever else the machine does
        owner_pid=pytestconfig.stash[RUN_PID],
    )
    return start(plan, print).bootstrap
