"""The operators' consumer: which flows run, what waits, which agency is silent. It can open no body.

monitor_reader ──> judging ──> batch ──┐
lag_watcher ───────────────────────────┴──> store ──> queries ──┬──> collector: metrics for Prometheus
                                                                └──> overview: `monitor status`

reading
  monitor_reader        the loop: poll, judge, one transaction for each batch, positions
  judging               is a record authentic, who wrote it, between whom
  forged_or_replayed    a record that fails: a forgery, or a copy of a genuine one
  batch                 applies a judged batch: flows, events, receipts, counters
  flow                  one referral as the monitor knows it; pure
  flow_rows             flows, events and early receipts as rows
  announcements         announcements and notices as rows
  counters              the counters that one batch adds to; pure
  kept                  how many bytes of one agency are kept in a day
  revoked_keys          forgets what was said under a revoked key

beside it
  lag_watcher           how far agencies and the monitor itself have read; calls retention
  lag                   the same as arithmetic; pure
  retention             forgets flows that ended long ago

looking
  queries               what is asked of the database
  stages                stage and deadline of a flow, in SQL
  collector, metrics    the metrics, and the table of their names
  overview              what `monitor status` shows
  needs                 what needs a person now
  agency_states         how each agency does
  silence               when an agency is silent
  unseen_overdue        agencies that announce more overdue referrals than the monitor sees

home and database
  home, settings        the home folder, its register, its settings
  store, tables         the database, its tables
  progress              positions, counters, and up to when everything was read
"""
