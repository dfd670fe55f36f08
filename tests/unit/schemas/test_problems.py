"""From pydantic's report, which quotes the input, to place and kind, which do not."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.problems import Problem, problems
from schemas.times import Instant


class Inner(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    count: Annotated[int, Field(ge=1)] = 1
    name: Annotated[str, Field(max_length=3)] = "x"
    at: Instant | None = None
    names: Annotated[tuple[str, ...], Field(max_length=2)] = ()


class Outer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    inner: tuple[Inner, ...]


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        ("{}", [Problem("inner", "missing")]),
        ('{"inner": [], "planted": 1}', [Problem("", "unknown_field")]),
        ('{"inner": [{}, {"planted": 1}]}', [Problem("inner[1]", "unknown_field")]),
        ('{"inner": [{"planted": 1, "planted too": 2}]}', [Problem("inner[0]", "unknown_field")]),
        ('{"inner": [{"count": "1"}]}', [Problem("inner[0].count", "wrong_type")]),
        ('{"inner": [{"count": 1.5}]}', [Problem("inner[0].count", "wrong_type")]),
        ('{"inner": [7]}', [Problem("inner[0]", "wrong_type")]),
        ('{"inner": [{"count": 0}]}', [Problem("inner[0].count", "bad_value")]),
        ('{"inner": [{"name": "long"}]}', [Problem("inner[0].name", "too_long")]),
        ('{"inner": [{"names": ["a", "b", "c"]}]}', [Problem("inner[0].names", "too_long")]),
        ('{"inner": [{"names": ["a", 1]}]}', [Problem("inner[0].names[1]", "wrong_type")]),
        ('{"inner": [{"at": "2030-01-31T10:00:00"}]}', [Problem("inner[0].at", "naive_time")]),
        ("[]", [Problem("", "wrong_type")]),
        ("{", [Problem("", "not_json")]),
        ("", [Problem("", "not_json")]),
        (
            '{"inner": [{"count": 0, "name": 1}]}',
            [Problem("inner[0].count", "bad_value"), Problem("inner[0].name", "wrong_type")],
        ),
    ],
)
def test_a_problem_is_a_place_and_a_kind(json: str, expected: list[Problem]) -> None:
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate_json(json)
    assert list(problems(refused.value)) == expected


def test_a_thousand_unknown_fields_are_one_problem() -> None:
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate({"inner": (), **{f"planted{number}": 1 for number in range(1000)}})
    assert problems(refused.value) == (Problem("", "unknown_field"),)
