"""The home: whose it is, who else can reach it, one service for each ledger."""

from tests.guards.guard import Guard

FILES = "referral_bus/files.py"
USERS = ("tests/unit/deploy/app/test_users.py",)
HOMES = ("tests/unit/deploy/app/test_homes.py",)

HOME = (
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
        HOMES,
    ),
    Guard(
        "a ledger has one name",
        "referral_bus/ledger/store.py",
        '        refuse_second_name(path, "ledger")\n',
        "        path.lstat()\n",
        HOMES,
    ),
)
