"""The command `referral-bus`, and the services that it runs.

start ──> cli ──> commands/ ──> agency_client ──> producers, consumers, ledger
                     │   └────> views/ ──> output
                     └────────> service/

start            the process begins: Ctrl-C, standard streams, UTF-8
cli              joins the groups of commands; every error ends here
commands/        one module for each group: arguments, options, and what they call
views/           documents for --json and lines for people, of what a command shows
output           prints them
failures         what a failed command prints
exit_codes       the exit codes

agency_client    what a person or a program can do at one agency; commands, handlers and the demonstration use it
worklist         which referrals fit a filter, and what waits for this agency's people
backups          backup and restore of a ledger
backup_files     the file of a backup, with its MAC

service/         processes that run on
  agency_service     an agency's service: puts relay, ingest, hand-over and the other threads together
  monitor_service    the monitor's
  supervisor         starts failed threads again; watchdog: ends a process that hangs; shutdown: ends it in time
  health_http        /healthz, /readyz, /metrics; gauges: what /metrics reads from the ledger
  handover_endpoint  the handler or webhook of the settings
  own_announcements  what this agency has announced before, read from Kafka at the start
  foreign_words      keeps words of handlers and libraries out of the log
  service_status     whether the service of a home runs; time_witnesses: whether others confirm the time
"""
