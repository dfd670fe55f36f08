"""Alembic's entry: works on the connection and in the transaction of `store.open_ledger`."""

from alembic import context

from referral_bus.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
