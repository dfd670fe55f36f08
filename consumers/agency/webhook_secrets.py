"""The webhook's secrets, in the home folder beside the keys. During a rotation both the old and the new one are valid.

keys/webhook.secret        32 random bytes, hex
keys/webhook-next.secret   during a rotation: the one that will replace it
"""

import base64
import secrets
from pathlib import Path

from referral_bus.errors import Reason, Refused
from referral_bus.federation.keyring import find_key, read_key, write_key
from referral_bus.files import trouble

CURRENT, NEXT = "webhook.secret", "webhook-next.secret"


def valid_secrets(keys: Path) -> list[bytes]:
    """The valid secrets, 32 bytes each: one, two during a rotation, none before the first was made."""
    found = [find_key(keys / name) for name in (CURRENT, NEXT)]
    return [secret for secret in found if secret is not None]


def shown(secret: bytes) -> str:
    """The secret in the text form that Standard Webhooks libraries take: `whsec_` and Base64."""
    return f"whsec_{base64.b64encode(secret).decode('ascii')}"


def new_secret(keys: Path) -> bytes:
    """Makes and returns the first secret, or begins a rotation: until `finish_rotation` each call is signed with both.
    Raises `Refused` during a rotation, or where the file cannot be written."""
    if (keys / NEXT).exists():
        advice = "two secrets are valid already; once your endpoint knows the newer one, end the rotation with --finish"
        raise Refused(Reason.HOME_INVALID, advice, f"keys/{NEXT}")
    path = keys / (NEXT if (keys / CURRENT).exists() else CURRENT)
    try:
        write_key(path, secrets.token_bytes(32))
    except OSError as error:
        raise trouble(error, path, f"keys/{path.name}", "written") from None
    return read_key(path)


def finish_rotation(keys: Path) -> None:
    """Ends a rotation: from now on only the newer secret is valid. Raises `Refused` where no rotation was begun."""
    if not (keys / NEXT).exists():
        raise Refused(Reason.HOME_INVALID, "no rotation was begun, so there is no newer secret", f"keys/{NEXT}")
    try:
        (keys / NEXT).replace(keys / CURRENT)
    except OSError as error:
        raise trouble(error, keys / CURRENT, f"keys/{CURRENT}", "written") from None
