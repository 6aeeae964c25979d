"""Alembic's way in: runs the versions on the connection that migrations.upgrade() gives."""

from alembic import context

from server.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by building it anew
    transaction_per_migration=True,
    transactional_ddl=True,  # SQLite can, though Alembic takes it that it cannot
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
