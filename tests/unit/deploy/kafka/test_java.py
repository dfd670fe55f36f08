from collections.abc import Callable

import pytest

from deploy.kafka.java import check_java
from referral_bus.errors import Reason, Refused

Provide = Callable[[str, str], None]


def test_without_java_the_line_that_installs_it_is_named(provide: Provide) -> None:
    provide("other", "")

    with pytest.raises(Refused, match="apt-get install -y openjdk-17") as refused:
        check_java()

    assert refused.value.reason is Reason.JAVA_MISSING


@pytest.mark.parametrize(("version", "called"), [("1.8.0_392", "8"), ("11.0.22", "11"), ("16", "16")])
def test_a_java_that_is_too_old_is_named(version: str, called: str, provide: Provide) -> None:
    provide("java", f"echo 'openjdk version \"{version}\" 2020-01-01' >&2")

    with pytest.raises(Refused, match=f"is {called}\\.") as refused:
        check_java()

    assert refused.value.reason is Reason.JAVA_TOO_OLD


@pytest.mark.parametrize("version", ["17.0.15", "21", "25-ea"])
def test_java_17_and_newer_will_do(version: str, provide: Provide) -> None:
    provide("java", f"echo 'Picked up JAVA_TOOL_OPTIONS: -Dx'; echo 'openjdk version \"{version}\"' >&2")

    check_java()


def test_a_java_that_does_not_work_counts_as_none(provide: Provide) -> None:
    provide("java", "echo broken; exit 1")

    with pytest.raises(Refused) as refused:
        check_java()

    assert refused.value.reason is Reason.JAVA_MISSING
