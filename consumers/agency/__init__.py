"""From the bus to an agency: reads Kafka into the ledger, hands over to the agency's own system.

                         ┌─> judge_event     ─┐
ingest ──> take_in ──────┼─> judge_erasure   ─┼─> ledger ──> handover ──> handler, webhook
                         └─> (receipts, ...)  ─┘

ingest           the loop: poll, one transaction for each batch, positions
subscriptions    which topics are read, and from where
take_in          one record: authenticated, then given to the judge of its kind
judge_event      a referral or a later word: stored, refused, held, missing
judge_erasure    a word about an erasure
believed_places  the places of a writer that still count after a key was revoked
verdicts         what ingest needs beside the ledger, and what it can decide
ingest_report    counts and logs the verdicts
dead_letters     what staff can do about dead letters: retry, discard

handover         events to the agency's own system, in the order of each referral
webhook          hand-over as a signed HTTP call with ids only
webhook_secrets  the secrets that sign it

announcer        the agency's heartbeat
maintenance      the thread `keeper`: write-ahead log, retention
"""
