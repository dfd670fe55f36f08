"""The agency's ledger: one SQLite database, every table and every transaction on it. Which module for what:

outbox: what this agency writes and sends
  own_events            writes events of our own: the referral, the event, its place, its outbox row
  outbox                states of the rows, and every change of them
  outbox_due            which rows go now, and when the next one goes
  outbox_sweep          rows that go because their addressee has changed, or because time has passed
  receipts              what an addressee's receipt changes
  resends               when a peer is sent everything again: once a minute at most
  failing_sends         what Kafka does not take, and why

what came in
  received_events       stores or refuses an event; positions in Kafka
  receipts_owed         the receipts that are owed, until the broker has them
  held_events           events that cannot be judged yet
  dead_letters          what could not be taken in or handed over
  dead_letter_lists     the same, listed and grouped
  quotas                how much of one writer is kept in a day
  handovers             what is due to the agency's own system, and what it has taken
  peers                 announcements and incarnations of other agencies; agreed time
  revoked_keys          forgets what was said under a revoked key

people's referrals
  referrals             a referral, what a word does to it, places of each writer
  idempotency           answers to requests with an idempotency key
  repeated_requests     second tries without a key, within ten minutes
  audit                 the chain of what was done here

erasure
  erasures              erases a referral, and what both sides tell each other about it
  tombstones            what stays of an erased referral
  retention             erases what has been kept long enough

restore
  own_agency            the incarnation of this agency, and the place of its next announcement
  restoring             a ledger from a backup goes on under a higher incarnation
  restored_peers        what is owed to a peer whose ledger was restored

look-ups: change nothing
  queries               history, delivery, counts
  search                referrals by side, counterpart, case number, deadline
  resolve               which referral a shortened id means

file and engine
  store                 opens the ledger, its transactions, news of commits
  tables                every table
  referral_key_columns  conditions on the two columns that name a referral
  schema                runs `migrations`, and whether a file has exactly these tables
  at_rest               encrypts bodies under a key for each referral
  log_file              the write-ahead log, made short again
  ledger_errors         what an error of the database means
"""
