"""The webhook's secrets in the home folder."""

from pathlib import Path

import pytest

from consumers.agency.webhook_secrets import finish_rotation, new_secret, valid_secrets
from referral_bus.clock import system_clock
from referral_bus.errors import Refused
from referral_bus.federation.keyring import create_keys


def test_a_secret_is_rotated_with_both_valid_in_between(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    create_keys(keys, system_clock())
    assert valid_secrets(keys) == []
    first = new_secret(keys)
    assert valid_secrets(keys) == [first]
    second = new_secret(keys)
    assert valid_secrets(keys) == [first, second]
    with pytest.raises(Refused, match="HOME_INVALID at keys/webhook-next"):
        new_secret(keys)
    finish_rotation(keys)
    assert valid_secrets(keys) == [second]
    with pytest.raises(Refused, match="HOME_INVALID at keys/webhook-next"):
        finish_rotation(keys)
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
