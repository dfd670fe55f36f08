"""Gauges that are read from the ledger when somebody asks for metrics."""

from deploy.app.desk import Desk
from referral_bus.ledger import handing_over, looking
from referral_bus.metrics import ServiceMetrics
from schemas.lifecycle import Side


def refresh_gauges(desk: Desk, metrics: ServiceMetrics) -> None:
    with desk.ledger.read() as tx:
        counts = looking.counts(tx, desk.clock())
        waiting = handing_over.oldest_waiting(tx)
        blocked = handing_over.blocked(tx)
    metrics.set("outbox_events", counts.outbox)
    metrics.set("outbox_oldest_timestamp_seconds", counts.outbox_oldest.timestamp() if counts.outbox_oldest else 0)
    metrics.set("receipts_outstanding", counts.receipts_owed)
    metrics.set("handover_oldest_timestamp_seconds", waiting.timestamp() if waiting else 0)
    metrics.set("handovers_blocked", blocked)
    metrics.set("referrals_open", counts.open_to_us, Side.RECIPIENT)
    metrics.set("referrals_open", counts.open_from_us, Side.SENDER)
    metrics.set("referrals_overdue", counts.overdue_to_us, Side.RECIPIENT)
    metrics.set("referrals_overdue", counts.overdue_from_us, Side.SENDER)
    metrics.set("register_expiry_timestamp_seconds", desk.register.content.expires_at.timestamp())
