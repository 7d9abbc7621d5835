"""Alembic's entry: the connection comes from database.py, already in a transaction; the steps run in it."""

from alembic import context

from storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
