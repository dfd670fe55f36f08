from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_bus.errors import Reason, Refused
from referral_bus.federation.yaml_strict import MAX_BYTES, MAX_DEPTH, MAX_EVENTS, YamlValue, dump_yaml, load_yaml


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: secret\n", 3),
        ("a: {b: 1, b: secret}\n", 1),
        ("a: &secret 1\n", 1),
        ("a: 1\nb: &secret [1]\n", 2),
        ("a: 1\nb: &secret {c: 1}\n", 2),
        ("a: &secret 1\nb: *secret\n", 1),
        ("a: *secret\n", 1),
        ("a: !!str secret\n", 1),
        ("a: !secret [1]\n", 1),
        ("a: ! secret\n", 1),
        ("\n!!python/object/apply:os.system [secret]\n", 2),
        ("1: secret\n", 1),
        ("a: 1\ntrue: secret\n", 2),
        ("null: secret\n", 1),
        ("? [secret]\n: 1\n", 1),
        ("? {secret: 1}\n: 1\n", 1),
        ("a: 1\n---\nsecret: 1\n", 2),
        ("%YAML 1.1\n---\na: secret\n", 1),
        ("%TAG ! tag:secret,2030:\n---\na: 1\n", 1),
        ("a: 1\nb: [secret\n", 3),
        ("a: 1\n\tsecret: 2\n", 2),
        ("a: 1\nb: \x07secret\n", 2),
        ("", 1),
        ("# only a comment, secret\n", 1),
    ],
)
def test_what_readers_could_understand_differently_is_refused_with_its_line_and_without_its_words(
    text: str, line: int
) -> None:
    with pytest.raises(Refused) as caught:
        load_yaml(text.encode())
    assert caught.value.reason is Reason.REGISTER_INVALID
    assert caught.value.path == f"line {line}"
    assert "secret" not in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(Refused, match="UTF-8") as caught:
        load_yaml(b"a: 1\nb: \xff\n")
    assert caught.value.path == "line 2"


@pytest.mark.parametrize("text", [r'a: "\UFFFFFFFF"', "%YAML " + "1" * 5000 + ".1\n---\na: 1\n"])
def test_numbers_that_the_parser_stumbles_over_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        load_yaml(text.encode())


def test_a_file_up_to_the_bound_is_read_and_one_byte_more_is_not() -> None:
    padded = b"a: 1\n#" + b"x" * (MAX_BYTES - 6)
    assert load_yaml(padded) == {"a": 1}
    with pytest.raises(Refused, match="over 1048576 bytes"):
        load_yaml(padded + b"x")


def test_nesting_is_bounded() -> None:
    assert load_yaml(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(Refused, match="nested"):
        load_yaml(b"[" * 100_000)


def test_no_type_is_guessed_but_null_true_false_and_whole_numbers() -> None:
    text = "[no, on, Yes, 2030-01-31, 1.5, 1_000, 0x1F, 010, 12:30, <<, '7', 'true', null, ~, '', true, false, 7, -7]"
    assert load_yaml(text.encode()) == (
        *("no", "on", "Yes", "2030-01-31", "1.5", "1_000", "0x1F", "010", "12:30", "<<", "7", "true"),
        *(None, None, "", True, False, 7, -7),
    )


def test_a_key_of_digits_only_stays_text() -> None:
    assert load_yaml(b"a: " + b"1" * 64) == {"a": "1" * 64}


def test_a_repeated_value_is_written_out_without_an_alias() -> None:
    contact = {"hours": "always"}
    assert load_yaml(dump_yaml({"a": contact, "b": contact})) == {"a": contact, "b": contact}


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"))
_VALUES: st.SearchStrategy[YamlValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18) + 1, 10**18 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(_VALUES)
def test_what_is_written_reads_back_as_the_same_value(value: YamlValue) -> None:
    assert load_yaml(dump_yaml(value)) == value


@settings(deadline=None)
@given(st.binary() | st.text(alphabet="ab:&*!?-[]{}'\"%#|>~, \n\t\\U0F1\x85", max_size=60).map(str.encode))
def test_any_bytes_at_all_are_read_or_refused(data: bytes) -> None:
    with suppress(Refused):
        assert load_yaml(data) == load_yaml(data)


def test_what_stands_in_a_file_is_counted_while_it_is_read() -> None:
    few = b"[" + b"[]," * (MAX_EVENTS // 2 - 10) + b"]"
    assert load_yaml(few)
    with pytest.raises(Refused) as refused:
        load_yaml(b"[" + b"[]," * (MAX_EVENTS // 2 + 10) + b"]")
    assert "more than" in refused.value.advice
