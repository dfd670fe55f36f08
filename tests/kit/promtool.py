"""Prometheus's own tool tells which alerts fire."""

import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is missing: apt-get install prometheus")
    return subprocess.run([program, *arguments], capture_output=True, text=True)


def firing(scrapes: list[tuple[datetime, dict[str, float]]], quiet_minutes: int, folder: Path) -> set[str]:
    """Which alerts fire at the last of these scrapes, one a minute, when nothing happened before them for a while.
    promtool tells it by way of a test that expects none."""
    began = scrapes[0][0].timestamp() - 60 * quiet_minutes
    series = {name for _, scrape in scrapes for name in scrape}
    first, names = scrapes[0][1], [rule["alert"] for group in _rules()["groups"] for rule in group["rules"]]
    inputs = []
    for name in sorted(series):
        timed = "_timestamp_seconds" in name
        before = [_value(first.get(name), timed, began, 60 * (quiet_minutes - back)) for back in range(quiet_minutes)]
        values = [*before, *(_value(scrape.get(name), timed, began) for _, scrape in scrapes)]
        inputs.append({"series": name, "values": " ".join(values)})
    at = f"{quiet_minutes + len(scrapes) - 1}m"
    expected = [{"alertname": name, "eval_time": at, "exp_alerts": []} for name in names]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": expected}],
    }
    path = folder / "exported_test.yml"
    path.write_text(yaml.safe_dump(test), encoding="utf-8")
    done = promtool("test", "rules", str(path))
    return _named(done.stdout + done.stderr)


def _rules() -> Any:
    return yaml.safe_load(RULES.read_text(encoding="utf-8"))


def _value(value: float | None, timed: bool, began: float, back: float = 0) -> str:
    """promtool's clock begins at 0. Before the first scrape agencies lived as they did then."""
    if value is None:
        return "_"
    return f"{value - began - back:.3f}" if timed and value else f"{value:g}"


def _named(output: str) -> set[str]:
    """Such as `UnagreedFlow a to b`, from how promtool says which alerts it got."""
    found = set()
    for text in re.findall(r"Labels:\{(.*)\}", output):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', text))
        pair = [labels[end] for end in ("source_agency", "target_agency") if end in labels]
        found.add(f"{labels['alertname']} {' to '.join(pair) or labels.get('agency', '')}".rstrip())
    return found
