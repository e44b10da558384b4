"""Alembic's entry: run the migrations on the connection that `records.database` hands over."""

from alembic import context

from eyetune.records.schema import metadata

connection = context.config.attributes["connection"]
# SQLite cannot alter most of a table in place: Alembic's batch mode copies it instead.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
