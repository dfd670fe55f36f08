"""The demonstration leaves nothing behind, also when it is broken off."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kafka.plan import is_free
from tests.kit.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]


@pytest.mark.kafka
def test_a_demonstration_that_is_broken_off_leaves_no_process_no_port_and_no_file(tmp_path: Path) -> None:
    output = tmp_path / "output"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with output.open("w") as stream:
        demo = subprocess.Popen(
            [sys.executable, "-m", "deploy.app", "demo"],
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "stored after" in output.read_text())  # the first story is being told
        [port] = re.findall(r"on port (\d+)", output.read_text())
        services = _of(tmp_path)
        assert services
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE_S) == 130
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
    assert output.read_text().splitlines()[-1].endswith("interrupted; nothing accepted is lost")
    assert _of(tmp_path) == []
    assert is_free(int(port))
    assert list(tmp_path.glob("referral-bus-demo-*")) == []


def _of(folder: Path) -> list[int]:
    """Processes that work in a folder, by their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if str(folder).encode() in command:
            found.append(int(process.name))
    return found
