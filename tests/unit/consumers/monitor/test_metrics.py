"""The table of metrics, what is exposed, and what the alerts ask for are the same; promtool agrees with the rules."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumers.monitor import kept
from consumers.monitor.collector import monitor_registry
from consumers.monitor.counters import Tally
from consumers.monitor.metrics import BUCKETS_S, MONITOR_METRICS
from referral_bus.metrics import AGENCY_METRICS, PREFIX, MetricRule
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record
from tests.kit.lookout import Lookout, a_notice, lookout
from tests.kit.promtool import promtool
from tests.kit.registers import without_agreement

SENDER, RECIPIENT = "family-women", "public-health"
PROMETHEUS = Path(__file__).parents[4] / "deploy" / "prometheus"
RULE_TESTS = tuple(PROMETHEUS.glob("rules*_test.yml"))
RULES: dict[str, Any] = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
OPERATORS_TABLE = {
    "flow_events_total": ("source_agency", "target_agency", "event_type"),
    "unagreed_flow_events_total": ("source_agency", "target_agency", "event_type"),
    "forged_events_total": ("source_agency", "target_agency", "event_type"),
    "replayed_events_total": ("source_agency", "target_agency", "event_type"),
    "referral_ack_duration_seconds": ("target_agency", "priority"),
    "referral_completion_duration_seconds": ("target_agency", "priority"),
    "referral_acks_total": ("target_agency", "priority"),
    "referral_acks_within_deadline_total": ("target_agency", "priority"),
    "not_kept_total": ("agency",),
    "referrals_open": ("target_agency", "stage"),
    "referrals_overdue": ("target_agency", "stage"),
    "overdue_unseen": ("agency",),
    "agency_heartbeat_timestamp_seconds": ("agency",),
    "agency_expected": ("agency",),
    "consumer_lag_records": ("group", "topic"),
    "consumer_lag_seconds": ("group", "topic"),
    "consumer_committed_offset_sum": ("group", "topic"),
    "dead_letter_notices_total": ("agency", "reason"),
    "dead_letters_waiting": ("agency", "reason"),
    "schema_events_total": ("source_agency", "schema", "version"),
    "monitor_position_timestamp_seconds": (),
    "register_expiry_timestamp_seconds": (),
    "thread_restarts_total": ("thread",),
    "build_info": ("version",),
}


def test_the_table_has_the_names_and_labels_that_operators_know() -> None:
    assert {rule.name: rule.labels for rule in MONITOR_METRICS} == OPERATORS_TABLE


def test_every_counter_says_so_and_nothing_else_does() -> None:
    assert all((rule.kind == "counter") == rule.name.endswith("_total") for rule in MONITOR_METRICS)


def test_buckets_reach_from_a_minute_to_two_weeks() -> None:
    assert (BUCKETS_S[0], BUCKETS_S[-1]) == (60, 14 * 86_400)
    assert sorted(BUCKETS_S) == list(BUCKETS_S)


def everything_happens(bench: Bench, monitor: Lookout) -> None:
    """So that each metric has a sample."""
    monitor.own_register = without_agreement(bench.register, RECIPIENT, SENDER)
    referral = a_referral(bench, SENDER, RECIPIENT)
    record = event_record(bench, referral)
    monitor.hear(
        record,
        event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "rejected")),
        event_record(bench, a_referral(bench, RECIPIENT, SENDER)),
        replace(record, value=b""),
        replace(record, topic=bench.register.notices),
        a_notice(bench, SENDER),
    )


def test_what_is_exposed_is_the_table_and_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        everything_happens(bench, monitor)
        monkeypatch.setattr(kept, "MOST_A_DAY", 0)
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        restarts = {"reading": 1}
        text = generate_latest(monitor_registry(monitor.store, monitor.register, monitor.clock, restarts)).decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}

    assert set(found) == {PREFIX + rule.name.removesuffix("_total") for rule in MONITOR_METRICS}
    assert "_created" not in text
    for rule in MONITOR_METRICS:
        family = found[PREFIX + rule.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (rule.kind, rule.meaning)
        assert {frozenset(sample.labels) - {"le"} for sample in family.samples} == {frozenset(rule.labels)}, rule.name


def test_no_label_holds_an_id(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        everything_happens(bench, monitor)

        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}", " ".join(monitor.samples()))


def test_a_counter_that_the_table_does_not_have_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Tally().count("no_such_total")
    with pytest.raises(ValueError, match="acks"):
        Tally().count("referral_acks_total", "one label too few")


# the alerts

LABELS = re.compile(r"(?:by|on) \(([^)]*)\)")
KNOWN: dict[str, list[MetricRule]] = {}
for _rule in (*MONITOR_METRICS, *AGENCY_METRICS):
    KNOWN.setdefault(PREFIX + _rule.name, []).append(_rule)


def expressions() -> list[Any]:
    return [pytest.param(alert, id=alert["alert"]) for alert in ALERTS]


@pytest.mark.parametrize("alert", expressions())
def test_an_alert_asks_for_metrics_and_labels_that_there_are(alert: dict[str, Any]) -> None:
    metrics = set(re.findall(rf"{PREFIX}\w+", alert["expr"]))
    matched = re.findall(rf"({PREFIX}\w+)\{{([^}}]*)\}}", alert["expr"])

    assert metrics <= set(KNOWN)
    for name, matchers in matched:
        wanted = set(re.findall(r"(\w+)\s*(?:=~|!=|=|!~)", matchers))
        assert any(wanted <= set(rule.labels) for rule in KNOWN[name])
    labels = {label for rule in (rules for name in metrics for rules in KNOWN[name]) for label in rule.labels}
    used = {label.strip() for group in LABELS.findall(alert["expr"]) for label in group.split(",")}
    assert used - {"job", "instance", ""} <= labels, "the first two are Prometheus's own"


@pytest.mark.parametrize("alert", expressions())
def test_an_alert_says_how_bad_it_is_who_acts_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "none"}
    assert alert["labels"]["audience"] in {"operators", "agency"}
    assert set(alert["annotations"]) == {"summary", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/operate.md#{alert['alert'].lower()}"
    assert not re.search(r"event_id|referral_id|instance", alert["annotations"]["summary"])


@pytest.mark.parametrize("alert", expressions())
def test_an_alert_that_names_an_agency_has_its_label(alert: dict[str, Any]) -> None:
    names = re.search(r"agency", alert["annotations"]["summary"] + alert["labels"]["audience"]) is not None
    by_expression = re.search(r"(?:sum by|group_left) \(agency\)|_agency_|overdue_unseen", alert["expr"]) is not None

    assert names == ("agency" in alert["labels"] or by_expression)


def test_every_runbook_is_a_section_of_the_operators_page() -> None:
    page = (PROMETHEUS.parents[1] / "docs" / "operate.md").read_text(encoding="utf-8")
    sections = {line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")}

    assert {alert["alert"].lower() for alert in ALERTS} <= sections


def test_operators_are_paged_only_for_what_is_bus_wide_or_hostile() -> None:
    paged = {alert["alert"] for alert in ALERTS if alert["labels"]["audience"] == "operators"}

    assert paged - {"FlowSilent", "Watchdog"} == {
        "MonitorDown",
        "MonitorBehind",
        "MonitorThreadRestarting",
        "OverdueUnseen",
        "ReplayedEvent",
        "ForgedEvent",
        "SendingFails",
        "UnagreedFlow",
        "RegisterExpiring",
    }


def test_promtool_takes_the_rules() -> None:
    assert promtool("check", "rules", str(PROMETHEUS / "rules.yml")).returncode == 0


def test_the_rules_own_tests_pass() -> None:
    done = promtool("test", "rules", *map(str, RULE_TESTS))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tests = [test for file in RULE_TESTS for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]]
    fired = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    quiet = {each["alertname"] for test in tests for each in test["alert_rule_test"] if not each["exp_alerts"]}
    named = {alert["alert"] for alert in ALERTS}

    assert fired == named
    assert named - quiet == {"Watchdog", "ReferralsOverdue", "ConsumerSlow", "SealingKeyExpiring"}
