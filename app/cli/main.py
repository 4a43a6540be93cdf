"""The `gatecast` command."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app import logs
from app.cli import commands
from app.config import Settings
from app.errors import ServiceError
from app.scope import Right
from app.storage.artifacts import ArtifactError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Store series, train LSTM models, serve forecasts.")
keys = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke bearer keys.")
app.add_typer(keys, name="keys")
commands.register(app)
console = Console()

Host = Annotated[str | None, typer.Option(help="address to listen on [GATECAST_HOST, 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="port to listen on [GATECAST_PORT, 8000]")]
Lifeline = Annotated[int | None, typer.Option(hidden=True, help="file descriptor that ends with 'gatecast up'")]


def main() -> None:
    """Run the command; an error that the user can fix is printed in one line."""
    try:
        app()
    except (ServiceError, ValueError) as e:
        _fail(str(e))
    except SQLAlchemyError as e:
        _fail(_explain(e))
    except ArtifactError as e:
        _fail(f"{e}; check GATECAST_ARTIFACTS_URL")
    except OSError as e:
        _fail(str(e) if e.strerror is None else f"{e.filename or 'a file'}: {e.strerror}")


def _explain(error: SQLAlchemyError) -> str:
    """Return in a sentence what is wrong with the database, and what to do."""
    said = str(error).splitlines()[0]
    if "no such table" in said or "UndefinedTable" in said:
        return "the database has no tables of this release; run 'gatecast migrate'"
    if isinstance(error, OperationalError):
        return f"the database does not answer: {said}; check GATECAST_DATABASE_URL"
    return f"the database refuses: {said}"


def _fail(message: str) -> None:
    print(f"gatecast: {message}", file=sys.stderr)
    raise SystemExit(1)


def load_settings(**options: Any) -> Settings:
    """Read the settings and set up the logs. Raises ValueError, with text for a user, for a bad one."""
    try:
        settings = Settings(**{k: v for k, v in options.items() if v is not None})
    except ValidationError as e:
        raise ValueError("; ".join(_format_complaint(complaint) for complaint in e.errors())) from e
    logs.configure(settings.log_format, settings.log_level)
    return settings


def _format_complaint(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"GATECAST_{'_'.join(map(str, error['loc'])).upper()}: {message}" if error["loc"] else message


@app.command()
def serve(host: Host = None, port: Port = None, lifeline: Lifeline = None) -> None:
    """Run one API process."""
    settings = load_settings(host=host, port=port)
    _follow_up(settings, lifeline)
    from app import server

    server.serve(settings)


@app.command()
def worker(lifeline: Lifeline = None) -> None:
    """Run one worker: it runs the jobs of GATECAST_QUEUES, one of each queue at a time."""
    settings = load_settings()
    _follow_up(settings, lifeline)
    from app.worker import run

    run(settings)


def _follow_up(settings: Settings, lifeline: int | None) -> None:
    """Let this process stop when `gatecast up`, if that has started it, is gone."""
    if lifeline is not None:
        from app.cli import up as supervisor

        supervisor.stop_without_parent(lifeline, supervisor.STOP_SECONDS + settings.drain_seconds)


@app.command()
def migrate(
    timescale: Annotated[
        bool, typer.Option("--timescale", help="make observations a hypertable of TimescaleDB, which copies them")
    ] = False,
) -> None:
    """Upgrade the database to this release."""
    settings = load_settings()
    _migrate(settings)
    console.print("the database is up to date")
    if timescale:
        _make_hypertables(settings)
        console.print("observations and covariate values are hypertables")


def _migrate(settings: Settings) -> None:
    from app.jobs import queue
    from app.storage import migrate as migrations
    from app.storage.engine import Database

    database = Database(settings.database)
    migrations.upgrade(database.engine)
    database.dispose()
    queue.migrate(settings.database)


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", help="address of the database that is copied, sqlite:///… or such")],
    target: Annotated[str, typer.Option("--to", help="address of an empty database, postgresql://… or such")],
) -> None:
    """Copy a database to another, such as from SQLite to PostgreSQL. Stop what runs on it first; artifacts stay."""
    from app.cli.copy import copy_databases

    load_settings()
    copy_databases(source, target, console)


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="a new file, such as gatecast-monday.backup")]) -> None:
    """Write everything into one file, while the service runs: database, models, what jobs need. For either database."""
    from app.cli.backup import back_up

    back_up(load_settings(), file, console)


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="a file that 'gatecast backup' has written")]) -> None:
    """Put a backup into an empty database, be it SQLite or PostgreSQL, and its models into the artifact store."""
    from app.cli.backup import restore as put_back

    put_back(load_settings(), file, console)


def _make_hypertables(settings: Settings) -> None:
    from app.storage.engine import Database
    from app.storage.timescale import make_hypertables

    database = Database(settings.database)
    make_hypertables(database.engine)
    database.dispose()


@app.command()
def up(host: Host = None, port: Port = None) -> None:
    """Run everything on this machine: migrations, one API process, one worker. Ctrl-C stops them all."""
    from app.cli import up as supervisor

    settings = load_settings(host=host, port=port)
    os.environ |= {"GATECAST_HOST": settings.host, "GATECAST_PORT": str(settings.port)}
    _migrate(settings)
    console.print(f"Gatecast on [bold]http://{settings.host}:{settings.port}[/bold] (docs at /docs); Ctrl-C stops it")
    raise typer.Exit(supervisor.run([["serve"], ["worker"]], supervisor.STOP_SECONDS + settings.drain_seconds))


@app.command()
def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="stop after the forecast; status 0 if it won")] = False,
) -> None:
    """Train on a real data set that comes with Gatecast, and compare the forecast with what happened."""
    from app.cli.demo import demo as run

    raise typer.Exit(run(exit_after))


def _open_database() -> Any:
    from app.storage.engine import Database

    return Database(load_settings().database)


def _manage_keys() -> tuple[Any, Any]:
    """Return what manages keys, and the scope of who may sit at this machine."""
    from app.services.access.management import KeyManagement
    from app.storage.keys import get_default_scope

    database = _open_database()
    with database.read() as session:
        return KeyManagement(database), get_default_scope(session)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="what the key is for")],
    read_only: Annotated[bool, typer.Option("--read-only", help="the scopes read and forecast alone")] = False,
    scopes: Annotated[
        list[Right] | None, typer.Option("--scope", help="repeat it; all but admin when absent", show_default=False)
    ] = None,
    project: Annotated[str | None, typer.Option(help="whose things it sees")] = None,
    expires_at: Annotated[str | None, typer.Option(help="such as 2030-01-31T00:00:00Z")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="about series with this label alone, key:value; all must hold")
    ] = None,
) -> None:
    """Make a key. It is shown once and stored as a digest only."""
    from app.cli.terminal import parse_labels
    from app.services.access.keys import ORDINARY, READING
    from app.services.access.management import LABELLED, KeyRequest

    if read_only and scopes:
        raise ValueError("--read-only names scopes already; leave --scope out")
    management, scope = _manage_keys()
    labels = parse_labels(label or [])
    usual = [right for right in ORDINARY if not labels or right in LABELLED]
    rights = scopes or (READING if read_only else usual)
    key = management.create(scope, KeyRequest(name[:100], rights, project, expires_at, labels))
    _show_secret(key, f"key {key['id']} ({name}) of the project {key['project']}: {' '.join(key['scopes'])}")


@keys.command("rotate")
def rotate_key(
    number: Annotated[int, typer.Argument(help="from 'gatecast keys list'")],
    keep: Annotated[str, typer.Option(help="how long the secret before still works; 0: not at all")] = "24h",
) -> None:
    """Give a key another secret. It is shown once; the one before works for a while."""
    management, scope = _manage_keys()
    key = management.rotate(scope, number, None if keep == "0" else keep)
    _show_secret(key, f"key {key['id']} ({key['name']})")


def _show_secret(key: dict[str, Any], about: str) -> None:
    print(key["key"])
    print(f"{about}; it is not shown again", file=sys.stderr)


@keys.command("list")
def list_keys() -> None:
    """List the secrets of keys of the project `default`, including revoked ones."""
    from app.services.access.keys import KeyService

    table = Table("number", "name", "begins with", "scopes", "created", "last used", "expires", "revoked")
    for key in KeyService(_open_database(), auth=True).list():
        about = [f"{name}:{value}" for name, value in key["labels"].items()]
        cells = (key["number"], key["name"], key["prefix"], " ".join([*key["rights"], *about]), key["created_at"])
        table.add_row(*map(str, cells), *(key[name] or "" for name in ("last_used_at", "expires_at", "revoked_at")))
    console.print(table)


@keys.command("revoke")
def revoke_key(number: Annotated[int, typer.Argument(help="from 'gatecast keys list'")]) -> None:
    """Revoke a key at once."""
    management, scope = _manage_keys()
    management.revoke(scope, number)
    console.print(f"key {number} is revoked")
