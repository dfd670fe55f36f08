"""What the home folders of an agency and of the monitor have in common: made empty, and opened only by their owner."""

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.files import refuse_open_to_others, trouble, work_as_owner_of
from referral_bus.setting_files import FILE


@contextmanager
def new_home_folder(folder: Path) -> Iterator[None]:
    """Makes a folder that only its owner can read, for the files that are written within this context. When one of them
    fails, all that was made goes again, so that the same command can be typed once more. Raises `Refused` for a folder
    that is not empty, `Unreachable` when the disk fails."""
    found = folder.exists()
    try:
        if found and (not folder.is_dir() or any(folder.iterdir())):
            raise Refused(Reason.HOME_INVALID, "this folder is not empty; name a new one", "home")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        raise Refused(Reason.HOME_INVALID, "this folder cannot be made here", "home") from None
    try:
        yield
    except OSError as error:
        _remove(folder, itself=not found)
        raise trouble(error, folder, "home", "written") from None
    except BaseException:
        _remove(folder, itself=not found)
        raise


def _remove(folder: Path, itself: bool) -> None:
    """Removes what is in a folder that was empty before, and the folder if it was not there."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if itself:
        folder.rmdir()


def open_home_folder(folder: Path, with_keys: bool, no_home: str) -> Path:
    """The home in this folder, as an absolute path. Raises `Refused` when it is no home, with the advice `no_home`, or
    when it belongs to another user, or when others can read it. A process of root becomes one of the home's owner; see
    `work_as_owner_of`. An agency's home has a folder of keys, the monitor's has none."""
    work_as_owner_of(folder)
    try:
        is_home = stat.S_ISREG((folder / FILE).stat().st_mode) and (folder / "keys").is_dir() is with_keys
    except (FileNotFoundError, NotADirectoryError):
        is_home = False
    except OSError as error:
        raise trouble(error, folder, "home") from None
    if not is_home:
        raise Refused(Reason.HOME_INVALID, no_home, "home")
    refuse_open_to_others(folder)
    return folder.resolve()
