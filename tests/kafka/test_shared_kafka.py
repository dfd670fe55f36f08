"""The test run's own Kafka: one, whoever asks, and never left running."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.kafka.local import stop
from deploy.kafka.plan import is_free
from deploy.kafka.probe import serving_brokers
from tests.kit.waiting import wait_until

ROOT = Path(__file__).parents[2]

RUN = """
import time
from pathlib import Path
import pytest

@pytest.mark.parametrize("who", ["a", "b"])
def test_asks(who, kafka_bootstrap, pytestconfig):
    part = Path(f"{who}.part")
    part.write_text(kafka_bootstrap)
    part.rename(who)
    while Path("go on").exists() is False:
        time.sleep(0.02)
"""

pytestmark = pytest.mark.kafka

RunTests = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run_tests(tmp_path: Path) -> Iterator[RunTests]:
    """A test run of its own, with our conftest.py, whose tests tell which Kafka they got and wait for a word."""
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (tmp_path / "test_run.py").write_text(RUN)
    (tmp_path / "pytest.toml").write_text('[pytest]\nmarkers = ["kafka"]\n')
    started: list[subprocess.Popen[str]] = []
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a run in the background ignores Ctrl-C, and so would these

    def run(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        with (tmp_path / "output").open("w") as output:
            one = subprocess.Popen(
                command, cwd=tmp_path, env=environment, start_new_session=True, stdout=output, text=True
            )
        started.append(one)
        return one

    yield run
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.wait()
    for folder in tmp_path.glob("referral-bus-tests-*/kafka"):  # where the promise was not kept
        stop(folder, grace_s=0)


def port_of(test: Path) -> int:
    wait_until(test.exists)
    return int(test.read_text().removeprefix("127.0.0.1:"))


def test_workers_share_one_that_ends_with_the_run(tmp_path: Path, run_tests: RunTests) -> None:
    run = run_tests("-n", "2")
    ports = {port_of(tmp_path / who) for who in "ab"}

    serving = [serving_brokers(port) for port in ports]
    (tmp_path / "go on").touch()

    assert run.wait() == 0
    assert serving == [1]
    assert all(is_free(port) for port in ports)
    assert not list(tmp_path.glob("referral-bus-tests-*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_run_that_is_broken_off_leaves_none_running(how: signal.Signals, tmp_path: Path, run_tests: RunTests) -> None:
    run = run_tests()
    port = port_of(tmp_path / "a")
    assert serving_brokers(port) == 1

    run.send_signal(how)

    wait_until(lambda: is_free(port))


def test_the_kafka_of_this_run_serves(kafka_bootstrap: str) -> None:
    assert serving_brokers(int(kafka_bootstrap.rpartition(":")[2])) == 1
