"""Alembic's entry point: runs on the engine that `app.storage.migrate` hands over."""

from alembic import context

from app.storage.migrate import is_ours
from app.storage.tables import Table

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        compare_type=True,
        include_name=is_ours,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
