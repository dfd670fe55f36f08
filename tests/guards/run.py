"""Switches each guard off in turn, in a copy of the tree, and runs the tests: every time something has to go red.

`make guards`; with names, or their beginnings, only those. Ends with exit code 1 if a guard was not missed, and writes
the table into docs/reliability.md when all were run.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.guards.catalogue import GUARDS
from tests.guards.guard import ROOT, Guard

AT_ONCE = 2
LIMIT_S = 1800
SCHEDULES = ("tests/property",)
TABLE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- guards -->\n", "<!-- end of guards -->\n"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Missed:
    """What happened without a guard: the test that went red first, None if none did."""

    guard: Guard
    test: str | None
    seconds: float


def missed(guard: Guard) -> Missed:
    """Runs the guard's own suite without it, and the schedules if that stays green."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="guard-") as folder:
        tree = Path(folder)
        _copy(tree)
        file = tree / guard.file
        file.write_text(guard.switched_off(file.read_text(encoding="utf-8")), encoding="utf-8")
        test = _first_red(tree, guard.suite) or _first_red(tree, SCHEDULES)
    return Missed(guard, test, time.monotonic() - began)


def _red_with_every_guard(guards: Sequence[Guard]) -> str | None:
    """What goes red without a guard must be green with it, or it shows nothing."""
    suites = dict.fromkeys(path for guard in guards for path in guard.suite)
    with TemporaryDirectory(prefix="guards-") as folder:
        tree = Path(folder)
        _copy(tree)
        return _first_red(tree, list(suites))


def _copy(tree: Path) -> None:
    """A copy that every user can read: some tests run the command as another one."""
    tree.chmod(0o755)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _first_red(tree: Path, suite: Sequence[str]) -> str | None:
    """The first test that fails; None when all pass. Anything else, such as no test at all, is an error."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-m", "not kafka", *suite]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree), "TEST_PATIENCE_S": "20"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "never ends"
    if done.returncode == 0:
        return None
    found = _FAILED.search(done.stdout)
    if done.returncode != 1 or found is None:
        raise RuntimeError(f"the tests did not run: {done.stdout[-2000:]}")
    return found.group(1)


def table(results: Sequence[Missed]) -> str:
    """As Markdown: the guard, where it stands, and the test that goes red without it."""
    lines = ["| Guard | In | Without it this goes red |", "|---|---|---|"]
    for result in results:
        test = "**nothing**" if result.test is None else f"`{result.test.split('::')[-1]}`"
        lines.append(f"| {result.guard.name} | `{result.guard.file}` | {test} |")
    return "\n".join(lines) + "\n"


def main(names: Sequence[str]) -> int:
    chosen = [guard for guard in GUARDS if not names or guard.name.startswith(tuple(names))]
    red = _red_with_every_guard(chosen)
    if red is not None:
        print(f"with every guard in place this is red already: {red}; mend it first")
        return 1
    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, result in enumerate(pool.map(missed, chosen), start=1):
            verdict = result.test or "NOTHING WENT RED"
            print(f"[{number}/{len(chosen)}] {result.guard.name}: {verdict} ({result.seconds:.0f} s)", flush=True)
            results.append(result)
    unmissed = [result.guard.name for result in results if result.test is None]
    if not names:
        _write(table(results))
    print(f"{len(results)} guards, {len(unmissed)} not missed{': ' if unmissed else ''}{', '.join(unmissed)}")
    return 1 if unmissed else 0


def _write(text: str) -> None:
    document = TABLE.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    TABLE.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
