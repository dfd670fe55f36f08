"""The webhook's secrets, in the home folder beside the keys. While one takes another's place both are valid.

keys/webhook.secret        32 random bytes, hex
keys/webhook-next.secret   the one that will take its place
"""

import base64
import secrets
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.federation.keyring import find_key, read_key, write_key
from referral_bus.files import trouble

CURRENT, NEXT = "webhook.secret", "webhook-next.secret"


def valid_secrets(keys: Path) -> list[bytes]:
    """One, or two during a rotation; none before the first was made."""
    found = [find_key(keys / name) for name in (CURRENT, NEXT)]
    return [secret for secret in found if secret is not None]


def shown(secret: bytes) -> str:
    """As Standard Webhooks libraries take it."""
    return f"whsec_{base64.b64encode(secret).decode('ascii')}"


def new_secret(keys: Path) -> bytes:
    """The first one, or one beside it: hand-overs are signed with both until `finish_rotation`."""
    if (keys / NEXT).exists():
        advice = "two are valid already; once your endpoint knows the newer one say --finish"
        raise Refused(Reason.HOME_INVALID, advice, f"keys/{NEXT}")
    path = keys / (NEXT if (keys / CURRENT).exists() else CURRENT)
    try:
        write_key(path, secrets.token_bytes(32))
    except OSError as error:
        raise trouble(error, path, f"keys/{path.name}", "written") from None
    return read_key(path)


def finish_rotation(keys: Path) -> None:
    """From now on the newer one alone is valid."""
    if not (keys / NEXT).exists():
        raise Refused(Reason.HOME_INVALID, "there is no newer one to go on with", f"keys/{NEXT}")
    try:
        (keys / NEXT).replace(keys / CURRENT)
    except OSError as error:
        raise trouble(error, keys / CURRENT, f"keys/{CURRENT}", "written") from None
