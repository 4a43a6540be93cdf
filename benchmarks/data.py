"""Importing and reading thirteen million rows: rates, memory, forecasts beside it, and a killed import.

python -m benchmarks.data [--data ../shared/data] [--database sqlite] [--series 2000] [--format csv]

M5's daily sales go over HTTP into a service of its own, on all cores. Each figure stands beside its limit in the same
run: the database's quickest way to take and to give the same rows, the service without an import, the table itself.
"""

import argparse
import json
import platform
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.engine import make_url

from app.jobs import queue
from app.storage import migrate
from benchmarks.data_raw import opened
from benchmarks.data_rows import DatabaseRun, measure
from benchmarks.data_table import FILE, prepare_table
from benchmarks.serving_report import Row, head
from benchmarks.serving_servers import NotMeasured
from tests.e2e.servers import server as postgresql

DATABASES = ("postgresql", "sqlite")
FORMATS = ("parquet", "csv")


def parse_arguments() -> argparse.Namespace:
    """Read the command line. Ends with status 2 where the data set is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=list(DATABASES), help="kinds to measure")
    parser.add_argument("--series", type=int, metavar="N", help="the first N series alone, for a short trial")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=list(FORMATS), help="formats of the imports")
    found = parser.parse_args()
    if not (found.data / FILE).is_file():
        parser.error(f"no {found.data / FILE}: --data names the folder that holds the data sets")
    return found


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    arguments = parse_arguments()
    rows: list[Row] = []
    print(head(), flush=True)
    with tempfile.TemporaryDirectory(prefix="gatecast-data-") as folder:
        table = prepare_table(arguments.data / FILE, Path(folder), arguments.series)
        for kind in arguments.database:
            with _databases(kind, Path(folder)) as make:
                run = DatabaseRun(kind, Path(folder) / kind, table, tuple(arguments.format), make)
                try:
                    for row in measure(run):
                        rows.append(row)
                        print(row.line(), flush=True)
                except NotMeasured as e:
                    raise SystemExit(f"{kind}: {e}") from e
    packages = {name: version(name) for name in ("numpy", "pyarrow", "psycopg", "sqlalchemy", "fastapi")}
    about = {"benchmark": "data", "rows": table.rows, "series": len(table.ids), "formats": arguments.format}
    print(
        json.dumps(about | {"python": platform.python_version(), **packages, "figures": [r.document() for r in rows]})
    )


@contextmanager
def _databases(kind: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Give what makes empty migrated databases of a kind."""
    if kind == "sqlite":
        yield partial(make_sqlite, folder)
        return
    with postgresql() as server:
        yield server.database


def make_sqlite(folder: Path) -> str:
    """Make an empty migrated database file; return its address."""
    url = f"sqlite:///{folder / uuid.uuid4().hex}.db"
    with opened(url) as database:
        migrate.upgrade(database.engine)
    queue.migrate(make_url(url))
    return url


if __name__ == "__main__":
    main()
