"""The home: whose it is, who else can reach it, one service for each ledger."""

from tests.guards.guard import Guard

FILES = "referral_bus/files.py"
USERS = ("tests/unit/deploy/app/test_users.py",)
HOMES = ("tests/unit/deploy/app/test_homes.py",)

GIVEN = ("tests/unit/deploy/app/test_given_texts.py",)
BOUNDED = ("tests/unit/deploy/app/test_bounded_readers.py",)
EDITED = ("tests/unit/deploy/app/test_edited_backups.py",)

HOME = (
    Guard(
        "a second service takes no mark of the running one for its end",
        "deploy/app/service/agency_service.py",
        "    with running(client.home):\n        forget_status(client.home)\n",
        "    make_broker(client.settings.kafka)\n    with running(client.home):\n        forget_status(client.home)\n",
        HOMES,
    ),
    Guard(
        "a second monitor opens no file of the running one",
        "deploy/app/service/monitor_service.py",
        "    with running_monitor(home):\n",
        "    connect(home.settings().kafka)\n    with running_monitor(home):\n",
        ("tests/unit/consumers/monitor/test_home.py",),
    ),
    Guard(
        "a backup is believed by its MAC",
        "deploy/app/backup_files.py",
        "    return not left and hmac.compare_digest(source.read(_MAC + 1), mac.digest())\n",
        "    return True\n",
        EDITED,
    ),
    Guard(
        "a restored ledger has our tables and nothing besides",
        "referral_bus/ledger/schema.py",
        "    return any(found == _made_by(each.revision) for each in revisions)\n",
        "    return True\n",
        EDITED,
    ),
    Guard(
        "announced keys of a backup are heard anew",
        "referral_bus/ledger/restoring.py",
        "    forget_announcements(tx)\n",
        "",
        EDITED,
    ),
    Guard(
        "a backup is written into a new file only",
        "deploy/app/backup_files.py",
        "os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)",
        "os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)",
        EDITED,
    ),
    Guard(
        "a backup that did not fit is gone again",
        "deploy/app/backup_files.py",
        "        target.unlink(missing_ok=True)\n",
        "        pass\n",
        EDITED,
    ),
    Guard(
        "a pipe is no backup",
        "deploy/app/backup_files.py",
        "    if not stat.S_ISREG(os.fstat(descriptor).st_mode):\n",
        "    if False:\n",
        EDITED,
    ),
    Guard(
        "what root types is written as the home's owner",
        FILES,
        "        _become(found.st_uid, found.st_gid)\n",
        "        pass\n",
        USERS,
    ),
    Guard(
        "a file of another user in a home is refused",
        FILES,
        "        if found.st_uid != os.geteuid():\n",
        "        if False:\n",
        USERS,
    ),
    Guard(
        "a link is judged by what it leads to",
        FILES,
        "            found = path.stat()\n            yield",
        "            found = path.lstat()\n            yield",
        HOMES,
    ),
    Guard(
        "no second service works on a home",
        "referral_bus/home.py",
        "        _lock(descriptor)\n",
        "",
        ("tests/unit/deploy/app/test_service_status.py",),
    ),
    Guard(
        "a ledger has one name",
        "referral_bus/ledger/store.py",
        '        refuse_second_name(path, "ledger")\n',
        "        path.lstat()\n",
        HOMES,
    ),
    Guard(
        "a variable that no setting has is refused",
        "referral_bus/setting_files.py",
        "        if name.upper() not in known and not name.upper().startswith(aside):\n",
        "        if False:\n",
        GIVEN,
    ),
    Guard(
        "what is typed in another locale arrives as typed",
        "deploy/app/start.py",
        "    _begin_again_in_utf8()\n",
        "",
        GIVEN,
    ),
    Guard(
        "a port that cannot be is refused",
        "referral_bus/setting_files.py",
        "    if not all(0 < int(address",
        "    if False and not all(0 < int(address",
        GIVEN,
    ),
    Guard(
        "settings are read to a depth",
        "schemas/bounded_toml.py",
        "    except RecursionError:\n",
        "    except ZeroDivisionError:\n",
        BOUNDED,
    ),
    Guard(
        "settings are read to a length",
        "schemas/bounded_toml.py",
        "    if len(content) > MAX_BYTES:\n",
        "    if False:\n",
        BOUNDED,
    ),
    Guard(
        "a line of the journal is read to a length",
        "referral_bus/rollback_guard.py",
        "                    if len(line) > _LONGEST_LINE:\n",
        "                    if False:\n",
        BOUNDED,
    ),
    Guard(
        "nothing is added to a journal whose last line is damaged",
        "referral_bus/rollback_guard.py",
        "            if size > len(tail) and not whole:\n",
        "            if False:\n",
        BOUNDED,
    ),
    Guard(
        "a damaged run.json never means many processes",
        "deploy/app/service/service_status.py",
        "    return pid if pid is not None and pid > 1 else None",
        "    return pid",
        BOUNDED,
    ),
    Guard(
        "the types of a schema are counted when written out",
        "schemas/schema_shape.py",
        "        if count > _MOST_TYPES or depth > _MOST_LEVELS:\n",
        "        if False:\n",
        ("tests/unit/schemas/test_schema_shape.py",),
    ),
    Guard(
        "a file's brackets are counted before it is built",
        "schemas/bounded_json.py",
        "        if depth > bounds.depth:",
        "        if False:",
        ("tests/unit/schemas/test_schema_shape.py",),
    ),
    Guard(
        "of a home that could not be made nothing is left",
        "referral_bus/home_folder.py",
        "    except OSError as error:\n        _remove(folder, itself=not found)\n",
        "    except OSError as error:\n",
        HOMES,
    ),
    Guard(
        "a home on a disk that fails is no defect of ours",
        "referral_bus/home_folder.py",
        'raise trouble(error, folder, "home", "written") from None',
        "raise",
        HOMES,
    ),
)
