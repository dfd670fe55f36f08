"""The command typed by root, and by users without a name, on a home that belongs to one of them."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = 0
OWNER, STRANGER = 4321, 4322
REPOSITORY = Path(__file__).parents[2]


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """Which every user can reach; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="referral-bus-users-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def command_as(user: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`referral-bus` in a process of its own, by this user."""
    switch = [] if user == ROOT else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    command = [*switch, sys.executable, "-m", "deploy.app", *map(str, arguments)]
    script = "; ".join([*_open_the_way_to(Path(sys.base_prefix)), f"exec {shlex.join(command)}"])
    return subprocess.run(
        ["unshare", "--mount", "sh", "-e", "-c", script], capture_output=True, text=True, timeout=120, cwd=REPOSITORY
    )


def _open_the_way_to(python: Path) -> Iterator[str]:
    """Python may be installed in root's own home. Only in this process's view it is then as if it were not."""
    closed = next((path for path in reversed(python.parents) if not path.stat().st_mode & 0o001), None)
    if closed is not None:
        view = "/mnt"
        yield f"mount -t tmpfs -o mode=755 none {view}"
        yield f"mkdir -p {view}/{python.relative_to(closed)}"
        yield f"mount --bind {shlex.quote(str(python))} {view}/{python.relative_to(closed)}"
        yield f"mount --rbind {view} {shlex.quote(str(closed))}"
