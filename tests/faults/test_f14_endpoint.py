"""F14: the agency's own endpoint is down, slow, failing, redirecting, hanging, or answers nonsense; then it is well."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from consumers.agency.webhook_secrets import new_secret
from tests.faults.checker import Result
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.endpoint import Called, Endpoint, Illness
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import UNANSWERED, Flow, referrals_for
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

SUFFERS_S = 2.0
ATTEMPTS = 3
"""So few that some are given up while the endpoint is ill."""


def test_f14_whatever_the_endpoint_does_all_is_handed_over_in_order_in_the_end(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    events, results = dose(full=500, small=20), Result()
    with field_of(tmp_path, kafka_bootstrap, [Flow(FIRST, MIDDLE)], [UNANSWERED], handlers={}) as field:
        new_secret(field.agency(MIDDLE).home / "keys")
        field.agency(MIDDLE).set_to(webhook_timeout_s="1", handover_attempts=str(ATTEMPTS))
        field.start_and_wait(FIRST)
        with (field.agency(MIDDLE).home / "settings.toml").open(encoding="utf-8") as file:
            settings = file.read()
        for illness in Illness:
            with closing(Endpoint(illness)) as endpoint:
                url = f"webhook_url = 'http://127.0.0.1:{endpoint.port}/'\n"
                (field.agency(MIDDLE).home / "settings.toml").write_text(settings + url, encoding="utf-8")
                results = suffer(field, endpoint, events)
            field.tell(illness)
    report("F14", f"{len(Illness)} kinds x {events} events", results)


def suffer(field: Field, endpoint: Endpoint, events: int) -> Result:
    """The endpoint is ill for a while; then it is well, and somebody retries what was given up meanwhile."""
    staff, client = field.load.staff[MIDDLE], field.clients[MIDDLE]
    with field.load.at_rest():
        staff.listen_to(Called(client, endpoint))
    field.start_and_wait(MIDDLE)
    field.load.want(referrals_for(events, [UNANSWERED]))
    wait_until(lambda: endpoint.called or endpoint.illness is Illness.DOWN)
    time.sleep(SUFFERS_S)
    endpoint.recover()
    wait_until(lambda: field.load.idle() and field.waiting == 0)
    home = ("--home", str(field.agency(MIDDLE).home))
    retried = field.services.run("dead-letters", "retry", "--code", "HANDOVER_EXHAUSTED", *home)
    assert retried.returncode in (0, 2), retried.stderr  # 2: nothing was given up
    result = field.settle()
    field.kill(MIDDLE)
    return result
