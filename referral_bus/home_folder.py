"""What the home folders of an agency and of the monitor have in common: made empty, and opened only by their owner."""

import stat
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.files import refuse_open_to_others, trouble, work_as_owner_of
from referral_bus.setting_files import FILE


def make_home_folder(folder: Path) -> None:
    """A new folder that only its owner can read. Raises `Refused` for one that is not empty."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Refused(Reason.HOME_INVALID, "this folder is not empty; name a new one", "home")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        raise Refused(Reason.HOME_INVALID, "this folder cannot be made here", "home") from None


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
