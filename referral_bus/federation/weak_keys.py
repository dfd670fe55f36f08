"""Finds weak Ed25519 public keys, for which one signature is valid for many messages."""

_P = 2**255 - 19
_SIGN = 1 << 255
# The y coordinates of the eight points whose order divides 8.
_LOW_ORDER_Y = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
        & ~_SIGN,
    }
)


def weak_key(raw_public_key: bytes) -> bool:
    """Whether a raw 32-byte key is a point of low order, or a second encoding of any point (y not below p, which
    RFC 8032 forbids)."""
    y = int.from_bytes(raw_public_key, "little") & ~_SIGN
    return y >= _P or y in _LOW_ORDER_Y
