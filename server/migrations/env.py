"""Alembic's entry point: runs the versions on the connection of migrations.upgrade()."""

from alembic import context

from server.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making a new one
    transaction_per_migration=True,
    transactional_ddl=True,  # SQLite has it, though Alembic's default says otherwise
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
