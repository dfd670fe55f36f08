"""The catalogue of guards keeps up with the code."""

from collections import Counter

import pytest

from tests.guards.catalogue import GUARDS
from tests.guards.guard import ROOT, Guard


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_is_there_once_and_can_be_switched_off(guard: Guard) -> None:
    content = (ROOT / guard.file).read_text(encoding="utf-8")
    without = guard.switched_off(content)
    assert without != content
    compile(without, guard.file, "exec")
    for suite in guard.suite:
        assert (ROOT / suite).exists(), suite


def test_no_two_have_one_name() -> None:
    assert [name for name, times in Counter(guard.name for guard in GUARDS).items() if times > 1] == []
