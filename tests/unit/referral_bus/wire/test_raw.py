"""A record as it came: a header counts only if it stands there once."""

from referral_bus.wire.raw import RawRecord


def raw(*headers: tuple[str, bytes]) -> RawRecord:
    return RawRecord("topic", b"key", b"value", headers)


def test_a_header_that_stands_there_once_is_found() -> None:
    assert raw(("a", b"1"), ("b", b"2")).header("b") == b"2"
    assert raw(("a", b"")).header("a") == b""


def test_a_header_that_is_not_there_or_there_twice_is_none() -> None:
    assert raw().header("a") is None
    assert raw(("A", b"1")).header("a") is None
    assert raw(("a", b"1"), ("a", b"1")).header("a") is None


def test_the_size_counts_key_value_and_headers() -> None:
    assert raw().size == 8
    assert raw(("name", b"four"), ("n", b"")).size == 17
