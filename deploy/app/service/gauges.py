"""The gauges that are read from the ledger at each scrape."""

from deploy.app.agency_client import AgencyClient
from referral_bus.broker.send_failures import SEND_FAILURES
from referral_bus.ledger import failing_sends, handovers, queries
from referral_bus.ledger.log_file import log_bytes
from referral_bus.ledger.tombstones import left_behind, unconfirmed
from referral_bus.metrics import ServiceMetrics
from referral_bus.stage_queries import count_stages


def refresh_gauges(client: AgencyClient, metrics: ServiceMetrics) -> None:
    """Reads the ledger and the register, and sets every gauge of the service."""
    now = client.clock()
    believed, overdue_before = client.register.believed(now), now - client.settings.unconfirmed_after
    with client.ledger.read() as tx:
        counts = queries.counts(tx)
        stages = count_stages(tx, now, client.settings.limits, believed)
        waiting = handovers.oldest_waiting(tx)
        blocked = handovers.blocked(tx)
        trouble = failing_sends.everything(tx)
        erasures = unconfirmed(tx, overdue_before)
        left = left_behind(tx, overdue_before, believed)
    metrics.set("outbox_events", counts.outbox)
    metrics.set("outbox_oldest_timestamp_seconds", counts.outbox_oldest.timestamp() if counts.outbox_oldest else 0)
    for failure in SEND_FAILURES:
        metrics.set(
            "send_failures", sum(each.events + each.receipts for each in trouble if each.failure == failure), failure
        )
    metrics.set("ledger_log_bytes", log_bytes(client.ledger))
    metrics.set("receipts_outstanding", counts.receipts_owed)
    metrics.set("handover_oldest_timestamp_seconds", waiting.timestamp() if waiting else 0)
    metrics.set("handovers_blocked", blocked)
    metrics.set("erasures_unconfirmed", erasures.count - left.count)
    metrics.set("erasures_other_side_left", left.count)
    metrics.set("erasures_overdue", erasures.overdue - left.overdue)
    for (side, stage), count in stages.items():
        metrics.set("referrals_open", count.open, side, stage)
        metrics.set("referrals_overdue", count.overdue, side, stage)
    metrics.set("register_expiry_timestamp_seconds", client.register.content.expires_at.timestamp())
