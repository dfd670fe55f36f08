"""JSON from outside is bounded before anything is built of it."""

import resource
from time import process_time

import pytest

from schemas.bounded_json import Bounds, NotJson, OutOfBounds, load_json

BOUNDS = Bounds(size=1000, depth=3, values=20, items=5)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b" " * 1001, "size"),
        (b"[[[[1]]]]", "depth"),
        (b'{"a": [' + b"1," * 20 + b"1]}", "values"),
        (b'{"a": ' + b'""' * 20 + b"}", "values"),
        (b"[1,2,3,4,5,6]", "items"),
        (b"\xef\xbb\xbf[1,2,3,4,5,6]", "items"),
    ],
)
def test_each_bound_is_told_by_its_name(content: bytes, what: str) -> None:
    with pytest.raises(OutOfBounds) as refused:
        load_json(content, BOUNDS)
    assert refused.value.what == what


def test_what_stands_in_quotes_is_one_value_whatever_it_holds() -> None:
    text = '[{,"\\' * 20
    assert load_json(b'["' + b'[{,\\"\\\\' * 20 + b'"]', BOUNDS) == [text]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{\n  "a": x}', (2, 8)),
        (b'{"a": "\t"}', (1, 8)),
        (b'{\n"a": "\xff"}', (2, 7)),
        (b"[1] 2", (1, 5)),
        (b"[NaN]", (1, 1)),
        (b"[" + b"1" * 900 + b"e]", (1, 902)),
    ],
)
def test_what_is_no_json_is_told_by_line_and_column(content: bytes, place: tuple[int, int]) -> None:
    with pytest.raises(NotJson) as refused:
        load_json(content, BOUNDS)
    assert (refused.value.line, refused.value.column) == place


def test_a_control_character_in_a_text_is_named() -> None:
    with pytest.raises(NotJson, match=r"U\+0009"):
        load_json(b'{"a": "\t"}', BOUNDS)


@pytest.mark.parametrize("part", [b"[],", b"[", b'{"":', b'"\\"', b'\\"', b'",', b'""'])
def test_sixteen_mebibytes_of_anything_take_seconds_and_little_memory(part: bytes) -> None:
    size = 16 * 1024 * 1024
    content = b"[" + part * ((size - 1) // len(part))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
    with pytest.raises((OutOfBounds, NotJson)):
        load_json(content, Bounds(size=size, depth=16, values=450_000, items=500))
    assert process_time() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024  # KiB
