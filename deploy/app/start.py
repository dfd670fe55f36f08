"""Where the process begins. Nothing that takes time is imported before Ctrl-C and closed standard streams are taken
care of: while the modules load, Ctrl-C ends the process by the signal itself, without a traceback."""

import os
import signal
import sys

_CTRL_C_IS_PYTHONS = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it was told to ignore it
if _CTRL_C_IS_PYTHONS:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """The installed command."""
    _hold_places_of_closed_streams()
    from deploy.app import cli

    try:
        if _CTRL_C_IS_PYTHONS:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = cli.main()
        if _CTRL_C_IS_PYTHONS:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:  # between two lines of ours
        code = 130
    sys.exit(code)


def _hold_places_of_closed_streams() -> None:
    """A file that is opened later, such as the ledger, must not take the number of a closed standard stream: what is
    printed would go into it. Standard output is opened so that writing fails, as it does for a closed one."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
