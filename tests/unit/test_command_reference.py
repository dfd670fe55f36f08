"""The command reference is written from the command line, so it cannot say anything else."""

from pathlib import Path

from tests.kit.command_reference import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_command_reference_is_what_the_command_line_says() -> None:
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m tests.kit.command_reference > docs/commands.md"


def test_every_alert_has_its_section_in_the_operators_guide() -> None:
    rules = (DOCS.parent / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    headings = {
        line.removeprefix("### ").lower()
        for line in (DOCS / "operate.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("### ")
    }
    linked = {line.split("#")[1] for line in rules.splitlines() if "docs/operate.md#" in line}
    assert linked
    assert linked == headings
