"""Checks the keys of a register: each one is sound and has one owner, who has proved to have its private half."""

from collections.abc import Iterator

from referral_bus.federation.possession import possession_proved
from referral_bus.federation.register_models import RegisterFile
from referral_bus.federation.register_problem import RegisterProblem, repeated
from referral_bus.federation.weak_keys import weak_key

_WEAK = "a weak key: signatures by it prove nothing; make a new one"


def key_problems(content: RegisterFile) -> Iterator[RegisterProblem]:
    """What is wrong with the agencies' signing keys."""
    stewards = {key.public_key for key in content.stewards.keys}
    owned_before: set[str] = set()
    for i, agency in enumerate(content.agencies):
        for j, key in enumerate(agency.signing_keys):
            path = f"agencies[{i}].signing_keys[{j}]"
            if key.valid_until <= key.valid_from:
                yield RegisterProblem(f"{path}.valid_until", "must be later than valid_from")
            if weak_key(key.raw):
                yield RegisterProblem(f"{path}.public_key", _WEAK)
            elif not possession_proved(content.federation, agency.code, key.raw, key.proof):
                yield RegisterProblem(
                    f"{path}.proof", "does not prove that this agency has the key; let the agency make it anew"
                )
            if key.public_key in stewards:
                yield RegisterProblem(f"{path}.public_key", "this is a steward's key; an agency needs a key of its own")
            if key.public_key in owned_before:
                yield RegisterProblem(
                    f"{path}.public_key", "this key is listed earlier, too; every key has one place and one owner"
                )
            owned_before.add(key.public_key)


def steward_problems(content: RegisterFile) -> Iterator[RegisterProblem]:
    """What is wrong with the stewards' keys. The threshold counts people, so each steward has one key and one name."""
    keys = content.stewards.keys
    if content.stewards.threshold > len(keys):
        yield RegisterProblem("stewards.threshold", "is above the number of stewards; lower it, or list more stewards")
    for i, key in enumerate(keys):
        if weak_key(key.raw):
            yield RegisterProblem(f"stewards.keys[{i}].public_key", _WEAK)
    for i in repeated(key.public_key for key in keys):
        yield RegisterProblem(
            f"stewards.keys[{i}].public_key", "an earlier steward has this key; each steward needs a key of their own"
        )
    for i in repeated(key.name for key in keys):
        yield RegisterProblem(f"stewards.keys[{i}].name", "an earlier steward has this name; each steward has one key")
