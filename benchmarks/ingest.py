"""Moving an installation from SQLite to PostgreSQL, beside PostgreSQL's own COPY of the same rows.

python -m benchmarks.ingest [--data ../shared/data] [--series 2000]

M5's daily sales stand in a SQLite file; `gatecast copy` takes them to PostgreSQL, and COPY writes the same rows, which
are in memory already, into another database of the same server.
"""

import argparse
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from sqlalchemy import func, select

from app.cli.copy import copy_databases
from app.storage.tables import Observation
from benchmarks.data import make_sqlite
from benchmarks.data_raw import opened, write_raw
from benchmarks.data_table import FILE, prepare_table
from tests.e2e.servers import server

LEAST = 0.3
"""of COPY's rows a second"""


def count_rows(url: str) -> int:
    """Return the observations of a database."""
    with opened(url) as database, database.read() as session:
        return session.scalar(select(func.count()).select_from(Observation)) or 0


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--series", type=int, metavar="N", help="the first N series alone, for a short trial")
    args = parser.parse_args()
    if not (args.data / FILE).exists():
        raise SystemExit(f"{args.data / FILE} is not there; --data names the folder of the data sets")
    with tempfile.TemporaryDirectory() as name, server() as postgresql:
        folder = Path(name)
        table = prepare_table(args.data / FILE, folder, args.series)
        source = make_sqlite(folder)
        print(f"{table.rows} rows into SQLite", flush=True)
        write_raw(source, table)
        raw = write_raw(postgresql.database(), table)
        print(f"COPY: {table.rows / raw:12.0f} rows a second", flush=True)
        target = postgresql.database()
        began = time.perf_counter()
        copy_databases(source, target, Console())
        seconds = time.perf_counter() - began
        assert count_rows(target) == table.rows, "all rows have arrived"
    ratio = raw / seconds
    print(f"gatecast copy: {table.rows / seconds:12.0f} rows a second, {ratio:.2f} of COPY (at least {LEAST})")
    versions = {one: version(one) for one in ("SQLAlchemy", "psycopg", "numpy")}
    print(
        json.dumps(
            {"rows": table.rows, "copy_s": raw, "gatecast_copy_s": seconds, "ratio": ratio, "packages": versions}
        )
    )


if __name__ == "__main__":
    main()
