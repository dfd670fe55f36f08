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
    _begin_again_in_utf8()
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


def _begin_again_in_utf8() -> None:
    """In a locale of another encoding, texts and names of files that were typed in UTF-8 would arrive garbled. What is
    no UTF-8 is refused later."""
    if not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 # no shell is wanted


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
