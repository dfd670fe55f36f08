"""Finds out why a broker ended, from its logs, as an error with one line."""

import re
from pathlib import Path

from deploy.kafka.plan import NodePlan
from referral_bus.errors import BusError, Reason, Refused, Unreachable

TAIL_BYTES = 256 * 1024
LOGS = ("console.log", "kafka.log")
EXCEPTION = re.compile(r"^(?:Caused by: )?[\w.$]+(?:Error|Exception)\b.*$", re.MULTILINE)
ERROR = re.compile(r"^.* (?:ERROR|FATAL) .*$", re.MULTILINE)


def why_ended(node: NodePlan) -> BusError:
    """The error that explains why a node ended; its advice names the cause, or quotes the last error line of Kafka's
    logs."""
    text = "\n".join(_tail(node.folder / name) for name in LOGS)
    if re.search("No space left on device|Disk quota exceeded", text):
        return Refused(Reason.DISK_FULL, f"Kafka ended because the disk is full: make room for {node.folder}.")
    if "Address already in use" in text:
        return Refused(
            Reason.PORT_TAKEN, f"Kafka ended: port {node.port} or {node.controller_port} is taken. Choose others."
        )
    if re.search("OutOfMemoryError|Could not reserve enough space|Cannot allocate memory", text):
        return Unreachable(
            Reason.KAFKA_FAILED, f"Kafka ended because it had too little memory: give it more heap ({node.folder})."
        )
    if "Failed to acquire lock" in text:
        return Refused(Reason.DATA_FOLDER_INVALID, f"Another Kafka uses {node.folder}: stop that one first.")
    causes = EXCEPTION.findall(text) or ERROR.findall(text)
    said = f": {causes[-1][:200]}" if causes else ""
    return Unreachable(Reason.KAFKA_FAILED, f"Kafka ended by itself (logs in {node.folder}){said}")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""
