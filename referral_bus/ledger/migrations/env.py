"""The script that alembic runs. It uses the connection and the transaction of the caller of `schema.migrate`."""

from alembic import context

from referral_bus.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
