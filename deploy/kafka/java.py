"""Checks the Java on PATH, and makes the two command lines that run Kafka with it: formatting storage, and the
broker."""

import re
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from deploy.kafka.jars import KAFKA_VERSION
from deploy.kafka.plan import DATA, KafkaPlan, NodePlan, server_properties
from deploy.kafka.process import run
from referral_bus.errors import Reason, Refused, Unreachable

JAVA_NEEDED = 17
INSTALL = "apt-get install -y openjdk-17-jre-headless"
SETTINGS = "server.properties"
JAVA_WITHIN_S = 60.0


def check_java() -> None:
    """Raises `Refused` unless Java of at least `JAVA_NEEDED` is on PATH."""
    if shutil.which("java") is None:
        raise Refused(Reason.JAVA_MISSING, f"Kafka needs Java {JAVA_NEEDED} or newer. Install it: {INSTALL}")
    said = run(["java", "-version"], Path.cwd(), JAVA_WITHIN_S)
    version = re.search(r'version "(?:1\.)?(\d+)', said.stdout) if said is not None else None
    if version is None:
        raise Refused(Reason.JAVA_MISSING, f"The java on PATH does not tell its version. Install one: {INSTALL}")
    if int(version[1]) < JAVA_NEEDED:
        raise Refused(
            Reason.JAVA_TOO_OLD,
            f"Kafka needs Java {JAVA_NEEDED}, the one on PATH is {version[1]}. Install it: {INSTALL}",
        )


def write_settings(plan: KafkaPlan, node: NodePlan) -> None:
    """Writes the files that a node reads into its folder. Kafka also runs in that folder, so every path in its settings
    is relative."""
    (node.folder / "tmp").mkdir(parents=True, exist_ok=True)
    lines = (f"{name}={value}\n" for name, value in server_properties(plan, node).items())
    (node.folder / SETTINGS).write_text("".join(lines), "ascii")
    (node.folder / "log4j2.xml").write_bytes((files("deploy.kafka") / "log4j2.xml").read_bytes())


def format_storage(node: NodePlan, jars: Path, cluster_id: str) -> None:
    """Formats a node's storage unless that was done before. Kafka writes meta.properties last, so storage whose
    formatting was interrupted is formatted again."""
    if (node.folder / DATA / "meta.properties").exists():
        return
    command = [
        *_java(jars, 256, "-XX:TieredStopAtLevel=1"),
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id}",  # the id may begin with a hyphen
        "-c",
        SETTINGS,
    ]
    done = run(command, node.folder, JAVA_WITHIN_S)
    if done is None or done.returncode:
        if done is not None and "No space left" in done.stdout:
            raise Refused(Reason.DISK_FULL, f"The disk became full while {node.folder} was formatted.")
        said = done.stdout.strip().splitlines()[-1:] if done is not None else ["time out"]
        raise Unreachable(Reason.KAFKA_FAILED, f"Kafka {KAFKA_VERSION} could not format {node.folder}: {said[0][:300]}")


def broker_command(plan: KafkaPlan, jars: Path) -> Sequence[str]:
    return [*_java(jars, plan.heap_mb), "kafka.Kafka", SETTINGS]


def _java(jars: Path, heap_mb: int, *options: str) -> Sequence[str]:
    return [
        "java",
        f"-Xmx{heap_mb}m",
        *options,
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.net.preferIPv4Stack=true",
        "-Djava.io.tmpdir=tmp",
        "-Dlog4j2.configurationFile=log4j2.xml",
        "-cp",
        f"{jars.resolve()}/*",
    ]
