import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.waiting import PATIENCE_S

Provide = Callable[[str, str], None]

SETUP = Path(__file__).parents[3] / "deploy" / "setup.sh"
GOOD = {
    "java": "echo 'openjdk version \"17.0.15\"' >&2",
    "mvn": "",
    "promtool": "",
    "python3": "",
}


def set_up(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a copy, so that a guard that fails to hold touches nothing of ours."""
    copy = folder / "clone" / "deploy" / "setup.sh"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(SETUP.read_bytes())
    return subprocess.run(["/bin/bash", copy], capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("program", "broken", "package"),
    [
        ("java", "exit 127", "openjdk-17-jre-headless"),
        ("java", "echo 'java version \"1.8.0_1\"'", "openjdk-17-jre-headless"),
        ("java", "echo 'openjdk version \"11.0.2\"'", "openjdk-17-jre-headless"),
        ("python3", "exit 1", "python3-venv"),
        ("mvn", "", "maven"),
        ("promtool", "", "prometheus"),
    ],
    ids=["no java", "java 8", "java 11", "no venv", "no maven", "no promtool"],
)
def test_who_may_not_install_is_told_the_one_line_that_does(
    program: str, broken: str, package: str, tmp_path: Path, provide: Provide
) -> None:
    for name, script in (
        {**GOOD, program: broken} if broken else {n: s for n, s in GOOD.items() if n != program}
    ).items():
        provide(name, script)
    provide("id", "echo 1000")
    provide("apt-get", "echo called >&2")

    done = set_up(tmp_path)

    assert done.returncode == 2
    assert done.stderr == f"Something is missing. Install it, then try again: sudo apt-get install -y {package}\n"


def test_a_python_that_is_too_old_is_refused(tmp_path: Path, provide: Provide) -> None:
    for name, script in {**GOOD, "python3": 'case "$2" in *version_info*) exit 1;; esac'}.items():
        provide(name, script)

    done = set_up(tmp_path)

    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr


def test_root_on_debian_gets_what_is_missing_installed(tmp_path: Path, provide: Provide) -> None:
    provide("id", "echo 0")
    provide("apt-cache", "exit 0")
    provide("apt-get", f'echo "$@" >>{tmp_path}/asked')
    provide("python3", "")

    set_up(tmp_path)

    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["update -qq", "install -y -qq --no-install-recommends openjdk-17-jre-headless maven prometheus"]


def test_a_debian_without_java_17_gets_the_java_it_has(tmp_path: Path, provide: Provide) -> None:
    provide("id", "echo 0")
    provide("apt-cache", "exit 100")
    provide("apt-get", f'echo "$@" >>{tmp_path}/asked')
    provide("python3", "")

    set_up(tmp_path)

    assert (tmp_path / "asked").read_text().splitlines()[1].endswith("default-jre-headless maven prometheus")
