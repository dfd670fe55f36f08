"""Whatever an agency's handler or a library says: no word of it stands in the service's log, only place and count."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.app.service.foreign_words import ForeignWords, only_our_words
from referral_bus.logs import make_log
from tests.kit.bench import LogLines
from tests.kit.waiting import PATIENCE_S, wait_until
from tests.unit.deploy.app.conftest import Federation

NAME = "PLANTED-7731"
ROOT = Path(__file__).parents[4]

TALKING = """
import asyncio, logging, os, subprocess, sys, threading, warnings
from pathlib import Path


def handler(client):
    mark = client.home.folder.with_suffix(".talked")

    def take(received):
        name = received.body.person.name
        logging.basicConfig(level=logging.DEBUG, stream=sys.__stderr__, force=True)
        logging.getLogger("asyncio").error("%s ran away", name)
        logging.getLogger("cases").warning("cannot find %s", name)
        logging.getLogger("cases").warning("too many %s", name, "arguments")
        warnings.warn(f"{name} is unknown", stacklevel=1)
        print(name)
        print(name, file=sys.stderr)
        sys.stdout.buffer.write(name.encode())
        os.write(2, name.encode())
        subprocess.run(["sh", "-c", f"echo '{name}'; echo '{name}' >&2"])
        thread = threading.Thread(target=fails, args=(name,))
        thread.start()
        thread.join()
        Dies(name)
        mark.touch()
        raise LookupError(name)

    return take


def fails(name):
    raise ValueError(name)


class Dies:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        raise KeyError(self.name)
"""


def test_a_name_that_the_handler_says_in_any_way_is_not_in_the_services_log(
    federation: Federation, tmp_path: Path
) -> None:
    (tmp_path / "talking.py").write_text(TALKING)
    federation.recipient.set_to(handler="'talking:handler'")
    arguments = [sys.executable, "-m", "deploy.app", "agency", "run", "--home", str(federation.recipient.home)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(arguments, stdout=said, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        talked = federation.recipient.home.with_suffix(".talked")
        wait_until(lambda: talked.exists() or process.poll() is not None)
        wait_until(lambda: "handover_failed" in (tmp_path / "said").read_text() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    text = (tmp_path / "said").read_text()
    assert "PLANTED" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    heard = {line["way"] for line in lines if line["event"] == "foreign_words"}
    assert {"warnings", "stdout", "stderr", "thread", "unraisable"} <= heard
    assert all(line["where"].startswith("talking:") for line in lines if line.get("way") == "stdout")
    assert process.returncode == 0


@pytest.fixture
def log() -> Iterator[LogLines]:
    lines = LogLines()
    with only_our_words(lambda _: make_log(lines)):
        yield lines


def said(log: LogLines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.text.splitlines()]


def test_a_log_record_of_a_library_is_told_by_its_place_alone(log: LogLines) -> None:
    for _ in range(3):
        logging.getLogger(f"cases.{NAME}").warning("cannot find %s", NAME)
    logging.getLogger("cases").info("nothing")
    [line] = said(log)
    assert (line["event"], line["way"], line["count"]) == ("foreign_words", "logging", 1)
    assert line["where"].startswith("test_foreign_words:")
    assert NAME not in log.text


def test_a_warning_is_told_by_its_place_alone(log: LogLines) -> None:
    warnings.showwarning(NAME, UserWarning, "/somewhere/cases.py", 7)
    [line] = said(log)
    assert (line["way"], line["where"]) == ("warnings", "cases:7")
    assert NAME not in log.text


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_printed_is_told_by_its_place_alone(stream: str) -> None:
    log = LogLines()
    with only_our_words(lambda _: make_log(log)):
        getattr(sys, stream).write(f"{NAME}\n")
        os.write({"stdout": 1, "stderr": 2}[stream], NAME.encode())
    [line] = said(log)
    assert line["way"] == stream
    assert line["where"].startswith("test_foreign_words:")


def test_a_thread_that_dies_is_told_by_its_place_alone(log: LogLines) -> None:
    def dies() -> None:
        raise ValueError(NAME)

    thread = threading.Thread(target=dies)
    thread.start()
    thread.join()
    [line] = said(log)
    assert line["way"] == "thread"
    assert line["where"].startswith("ValueError in ")
    assert NAME not in log.text


def test_what_dies_in_a_finalizer_is_told_by_its_place_alone(log: LogLines) -> None:
    class Dies:
        def __del__(self) -> None:
            raise KeyError(NAME)

    Dies()
    [line] = said(log)
    assert line["way"] == "unraisable"
    assert NAME not in log.text


def test_the_same_place_is_told_once_a_minute_with_its_count() -> None:
    lines, now = LogLines(), 0.0
    words = ForeignWords(make_log(lines), lambda: now)
    for _ in range(5):
        words.heard("stdout", "cases:3")
    now = 61.0
    words.heard("stdout", "cases:3")
    assert [line["count"] for line in said(lines)] == [1, 5]


def test_a_command_says_no_line_of_a_library(federation: Federation) -> None:
    code = (
        "import logging, sys, threading, warnings\n"
        "from deploy.app import cli\n"
        "from deploy.app.commands import agencies\n"
        "def talk(home):\n"
        f"    logging.getLogger('kafka').error('{NAME}'); logging.error('{NAME}'); warnings.warn('{NAME}')\n"
        "    thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()\n"
        "    return real(home)\n"
        "real, agencies.client_of = agencies.client_of, talk\n"
        f"sys.exit(cli.main(['agencies', '--home', '{federation.sender.home}']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == 0
    [ours] = ended.stderr.splitlines()
    assert ours.startswith(b"referral-bus: warning: our own service is not running")
