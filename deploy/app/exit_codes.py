"""The exit codes of all commands, one for each way to end. A test compares the documents with this list."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of a command tells a script; `MEANS` says it in words."""

    DONE = 0
    DEFECT = 1
    REFUSED = 2
    UNREACHABLE = 3
    STUCK = 4
    NOT_SAID = 5
    INTERRUPTED = 130


MEANS = {
    ExitCode.DONE: "done",
    ExitCode.REFUSED: "refused input or state",
    ExitCode.UNREACHABLE: "something is not reachable",
    ExitCode.DEFECT: "a defect of ours",
    ExitCode.STUCK: "a service in which something hangs has ended itself",
    ExitCode.NOT_SAID: "done, but the answer could not be printed",
    ExitCode.INTERRUPTED: "interrupted",
}
