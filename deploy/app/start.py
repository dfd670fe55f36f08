"""The entry point of the process. It prepares Ctrl-C and closed standard streams before it imports the modules that
take time to load: while they load, Ctrl-C ends the process by the signal itself, without a traceback."""

import os
import signal
import sys

_CTRL_C_IS_PYTHONS = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else SIGINT is ignored
if _CTRL_C_IS_PYTHONS:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """The entry point of the installed command `referral-bus`."""
    _begin_again_in_utf8()
    _hold_places_of_closed_streams()
    from deploy.app import cli

    try:
        if _CTRL_C_IS_PYTHONS:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = cli.main()
        if _CTRL_C_IS_PYTHONS:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:  # outside of `cli.main`
        code = 130
    sys.exit(code)


def _begin_again_in_utf8() -> None:
    """Starts the process again in UTF-8 mode where the locale has another encoding: texts and file names typed in UTF-8
    would arrive garbled. Arguments that are no UTF-8 are refused later."""
    if not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 # no shell is wanted


def _hold_places_of_closed_streams() -> None:
    """Opens the null device in place of each closed standard stream. Otherwise a file opened later, such as the ledger,
    would get the stream's number, and printed text would go into it. Standard output is opened for reading only, so
    that writing to it fails as it does for a closed one."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
