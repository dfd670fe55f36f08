"""Gauges that are read from the ledger when somebody asks for metrics."""

from deploy.app.desk import Desk
from referral_bus.broker.send_failures import SEND_FAILURES
from referral_bus.ledger import failing, handing_over, looking
from referral_bus.ledger.log_file import log_bytes
from referral_bus.ledger.tombstones import left_behind, unconfirmed
from referral_bus.metrics import ServiceMetrics
from referral_bus.standings import count_stages


def refresh_gauges(desk: Desk, metrics: ServiceMetrics) -> None:
    now = desk.clock()
    believed, overdue_before = desk.register.believed(now), now - desk.settings.unconfirmed_after
    with desk.ledger.read() as tx:
        counts = looking.counts(tx)
        stages = count_stages(tx, now, desk.settings.limits, believed)
        waiting = handing_over.oldest_waiting(tx)
        blocked = handing_over.blocked(tx)
        trouble = failing.everything(tx)
        erasures = unconfirmed(tx, overdue_before)
        left = left_behind(tx, overdue_before, believed)
    metrics.set("outbox_events", counts.outbox)
    metrics.set("outbox_oldest_timestamp_seconds", counts.outbox_oldest.timestamp() if counts.outbox_oldest else 0)
    for failure in SEND_FAILURES:
        metrics.set(
            "send_failures", sum(each.events + each.receipts for each in trouble if each.failure == failure), failure
        )
    metrics.set("ledger_log_bytes", log_bytes(desk.ledger))
    metrics.set("receipts_outstanding", counts.receipts_owed)
    metrics.set("handover_oldest_timestamp_seconds", waiting.timestamp() if waiting else 0)
    metrics.set("handovers_blocked", blocked)
    metrics.set("erasures_unconfirmed", erasures.count - left.count)
    metrics.set("erasures_other_side_left", left.count)
    metrics.set("erasures_overdue", erasures.overdue - left.overdue)
    for (side, stage), count in stages.items():
        metrics.set("referrals_open", count.open, side, stage)
        metrics.set("referrals_overdue", count.overdue, side, stage)
    metrics.set("register_expiry_timestamp_seconds", desk.register.content.expires_at.timestamp())
