"""Fetches Apache Kafka's published jars once, and refuses any jar whose SHA-512 is not the pinned one."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from deploy.kafka.process import run
from referral_bus.errors import BusError, Reason, Refused, Unreachable

KAFKA_VERSION = "4.3.1"
FETCH_WITHIN_S = 900.0

Progress = Callable[[str], None]


def default_cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "referral-bus" / f"kafka-{KAFKA_VERSION}"


def pinned_sums() -> Mapping[str, str]:
    """The pinned SHA-512, in hex, by the name of the jar."""
    lines = (files("deploy.kafka") / "jars.sha512").read_text("ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def ensure_jars(cache: Path, progress: Progress, expected: Mapping[str, str] | None = None) -> Path:
    """The folder with Kafka's jars; fetches it if it does not exist. The fetched folder is moved into place in one
    step, so two processes may do this at once: the second one uses the folder of the first. Raises `Refused` for a
    wrong jar, `Unreachable` where Maven cannot fetch."""
    sums = pinned_sums() if expected is None else expected
    if not cache.exists():
        progress(f"Fetching Apache Kafka {KAFKA_VERSION} with Maven, once (about 50 MB) ...")
        _fetch(cache, sums)
    check_jars(cache, sums)
    return cache


def check_jars(folder: Path, sums: Mapping[str, str]) -> None:
    """Raises `Refused` unless the folder holds exactly the jars in `sums`, each with its SHA-512."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    odd = sorted(present ^ sums.keys()) or sorted(
        name for name, digest in sums.items() if _sha512(folder / name) != digest
    )
    if odd:
        kind = "is not one of the pinned jars" if odd[0] not in sums else "is missing or not the pinned one"
        raise Refused(Reason.JARS_INVALID, f"{odd[0]} {kind}: find out why, delete {folder}, start again.")


def _sha512(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha512").hexdigest()


def _fetch(cache: Path, sums: Mapping[str, str]) -> None:
    if shutil.which("mvn") is None:
        raise Refused(Reason.MAVEN_MISSING, "Maven fetches Kafka's jars. Install it: apt-get install -y maven")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        workspace = tempfile.TemporaryDirectory(prefix=f".{cache.name}-", dir=cache.parent)
    except OSError as error:
        raise Refused(
            Reason.JARS_INVALID, f"The jars' folder {cache} cannot be made: {error.strerror}. Set XDG_CACHE_HOME."
        ) from error
    with workspace as folder:
        _copy_dependencies(Path(folder), Path(folder) / "jars")
        check_jars(Path(folder) / "jars", sums)
        try:
            (Path(folder) / "jars").rename(cache)
        except OSError:
            if not cache.is_dir():  # else another process has fetched it meanwhile
                raise


def _copy_dependencies(folder: Path, target: Path) -> None:
    pom = folder / "pom.xml"
    pom.write_bytes((files("deploy.kafka") / "pom.xml").read_bytes())
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}")
    done = run(["mvn", "--batch-mode", "--quiet", "-f", str(pom), *goal], folder, FETCH_WITHIN_S)
    if done is None or done.returncode:
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no word") if done else "time out"
        raise Unreachable(Reason.JARS_UNREACHABLE, f"Maven could not fetch Kafka's jars: {said[:300]}")


def main() -> int:
    """The entry point for `make setup`: fetches and checks the jars. Returns the exit code."""
    try:
        ensure_jars(default_cache(), lambda line: print(line, flush=True))  # noqa: T201 -- a set-up step's own output
    except BusError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
