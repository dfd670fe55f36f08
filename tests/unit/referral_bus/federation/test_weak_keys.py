import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_is_valid_point

from referral_bus.federation.weak_keys import weak_key

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The curve's own addition, so that the list under test is not checked against itself."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def points_at(y: int) -> list[Point]:
    """The points with this y: none, one or two."""
    squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(squared, (P + 3) // 8, P)
    roots = {root % P for root in (x, -x, x * pow(2, (P - 1) // 4, P), -x * pow(2, (P - 1) // 4, P))}
    return [(root, y) for root in sorted(roots) if root * root % P == squared]


def low_order_points() -> list[Point]:
    """The multiples of a point of order 8, found by taking the large prime order out of some points."""
    order = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        for point in points_at(y):
            found: Point = (0, 1)
            for bit in bin(order)[2:]:
                found = add(found, found)
                found = add(found, point) if bit == "1" else found
            multiples = [(0, 1)]
            while len(multiples) == 1 or multiples[-1] != (0, 1):
                multiples.append(add(multiples[-1], found))
            if len(multiples) == 9:
                return multiples[:-1]
    raise AssertionError


LOW_ORDER = [y | (x & 1) << 255 for x, y in low_order_points()]


def test_there_are_eight_points_of_low_order() -> None:
    assert len(set(LOW_ORDER)) == 8


@pytest.mark.parametrize("spelled", [*LOW_ORDER, P, P + 1, P | 1 << 255, 1 | 1 << 255, (P - 1) | 1 << 255, P + 3])
def test_every_key_of_low_order_or_second_spelling_is_weak(spelled: int) -> None:
    raw = spelled.to_bytes(32, "little")
    assert weak_key(raw)
    assert not crypto_core_ed25519_is_valid_point(raw)  # what libsodium says of it


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_no_key_that_somebody_generated_is_weak(seed: bytes) -> None:
    assert not weak_key(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
