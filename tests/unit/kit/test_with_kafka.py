"""The folders whose tests `make test` runs with a real Kafka."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
NEEDS_KAFKA = re.compile(r"mark\.kafka|\bkafka_bootstrap\b")


def test_every_test_that_needs_kafka_is_in_a_folder_that_make_test_runs() -> None:
    makefile = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    [folders] = re.findall(r"^WITH_KAFKA := (.*)$", makefile, re.MULTILINE)
    files = {file.relative_to(TESTS.parent) for file in TESTS.rglob("test_*.py") if file != Path(__file__)}
    needing = {file for file in files if NEEDS_KAFKA.search((TESTS.parent / file).read_text(encoding="utf-8"))}
    assert {"/".join(file.parts[:2]) for file in needing} == set(folders.split())
