"""Runs the migrations on the connection and in the transaction that :func:`hub_config.database.migrate` opened.

Nothing here reads the live models: a migration must do in five years what it does today. The models come in only for the
comparison of :func:`alembic.autogenerate.compare_metadata`, handed over by whoever compares.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
