"""Reads, writes and checks the files of a home: they belong to its owner, and no other user can reach them. An error
names the cause: a full disk, or the owner of the file."""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from referral_bus.errors import Reason, Refused, Unreachable

ROOT = 0
MOST_OF_A_FILE = 1024 * 1024  # bytes: of a register, the longest file that is read whole
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def private() -> Iterator[None]:
    """Files made within this context can be read by their owner only. It sets the umask of the whole process; a command
    enters it once, for as long as it runs."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def work_as_owner_of(folder: Path) -> None:
    """Gives a process of root the user and group of the folder's owner, for good: the service can then read all that
    root writes into a home, SQLite's own files included. Raises `Refused` for any other user who is not the owner,
    before anything is written. Does nothing for a folder that does not exist, which its reader reports."""
    try:
        found = folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise trouble(error, folder, "home") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid == os.geteuid():
        return
    try:
        _become(found.st_uid, found.st_gid)
    except PermissionError:
        advice = f"it belongs to {_user(found.st_uid)}, and this runs as {_user(os.geteuid())}; run it as its owner"
        raise Refused(Reason.HOME_OF_ANOTHER_USER, advice, "home") from None


def _become(uid: int, gid: int) -> None:
    if os.geteuid() != ROOT:
        raise PermissionError
    try:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:  # a user without a name
        os.setgroups([gid])
    os.setregid(gid, gid)
    os.setreuid(uid, uid)
    if not all(os.access(file, os.R_OK) for file in (__file__, os.__file__)):
        advice = f"it belongs to {_user(uid)}, who cannot read this software; install it where all can, as under /opt"
        raise Refused(Reason.HOME_OF_ANOTHER_USER, advice, "home")


def refuse_open_to_others(folder: Path) -> None:
    """Raises `Refused` unless the folder and all that is in it belong to the user of this process and are closed to all
    other users. Of a symbolic link it checks the target, since that is what is opened."""
    for path, found in _all_in(folder):
        where = "home" if path == folder else str(path.relative_to(folder))
        if found.st_uid != os.geteuid():
            advice = f"it belongs to {_user(found.st_uid)}, and the home to {_user(os.geteuid())}; "
            raise Refused(Reason.HOME_OF_ANOTHER_USER, advice + "give it back with chown", where)
        if stat.S_IMODE(found.st_mode) & 0o077:
            advice = "others can read it; run chmod -R go= on the home folder, and on what a link in it leads to"
            raise Refused(Reason.HOME_READABLE_BY_OTHERS, advice, where)


def _all_in(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    waiting, seen = [folder], set[tuple[int, int]]()
    while waiting:
        path = waiting.pop()
        try:
            found = path.stat()
            yield path, found
            if stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                waiting.extend(sorted(path.iterdir(), reverse=True))
        except FileNotFoundError:  # a running service replaces its files
            continue
        except OSError as error:
            raise trouble(error, path, "home") from None


def refuse_second_name(path: Path, name: str) -> None:
    """Raises `Refused` for a database that has a second link, or is a symbolic link: a service on another home could
    work on the same file, since each service locks its own home only. Raises `FileNotFoundError` where there is
    none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise trouble(error, path, name) from None
    if stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink != 1):
        advice = "it must be a plain file with one name; remove the other link, or put the file itself here"
        raise Refused(Reason.HOME_INVALID, advice, name)


def read_bounded(path: Path) -> bytes:
    """The content of a file; of a longer one the first `MOST_OF_A_FILE` + 1 bytes, which exceed the bound of every
    reader. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(MOST_OF_A_FILE + 1)


def read_own(path: Path, name: str | None = None) -> bytes:
    """As `read_bounded`, for a file of the home, which errors call `name`. Raises `FileNotFoundError`, and
    `Unreachable` for any other trouble."""
    try:
        return read_bounded(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise trouble(error, path, name or path.name) from None


def trouble(error: OSError, path: Path, name: str, verb: Literal["read", "written"] = "read") -> Unreachable:
    """The error to raise for a file that cannot be read or written. It shows `name` and the cause, never `path`."""
    return Unreachable(Reason.FILE_UNREADABLE, f"it cannot be {verb}; {_cause(error, path)}", name)


def _cause(error: OSError, path: Path) -> str:
    if error.errno in _FULL:
        return "the disk is full: free some space"
    return whose(path) if error.errno in _FORBIDDEN else "look at the disk"


def whose(path: Path) -> str:
    """Advice that names the owner of the file, or of the innermost folder that this process can look at."""
    for place in (path, *path.absolute().parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        if owner == os.geteuid():
            return f"it belongs to {_user(owner)}, as this process does: look at its mode and at the disk"
        what = "it" if place == path else "the folder it is in"
        return f"{what} belongs to {_user(owner)}, and this runs as {_user(os.geteuid())}: look at whose it should be"
    return "look at the disk"


def _user(uid: int) -> str:
    """Names a user by number: the user's name may be a person's."""
    return "root" if uid == ROOT else f"user {uid}"


def write_through(path: Path, content: bytes) -> None:
    """Writes a file, whose content is on the disk when this returns (fsync)."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Puts the folder's entries on the disk (fsync): without it a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
