"""Moving to PostgreSQL beside its own COPY, and samples that protocols of monitoring bring beside parsing them.

python -m benchmarks.ingest [--data ../shared/data] [--series 2000] [--rows copy writes]

`copy`: M5's daily sales stand in a SQLite file; `gatecast copy` takes them to PostgreSQL, and COPY writes the same
rows, which are in memory already, into another database of the same server.

`writes`: 5000 series are scraped every 15 seconds. One API process on PostgreSQL takes in their samples over 50
connections, in bodies of 2000 as Prometheus sends them, and makes means of five minutes. Reading the same bodies alone,
in this process, stands beside: their parser, and the parser with every label, time and value read from its result.
"""

import argparse
import asyncio
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from sqlalchemy import func, select

from app.cli.copy import copy_databases
from app.storage.tables import Observation
from benchmarks.data import make_sqlite
from benchmarks.data_raw import opened, write_raw
from benchmarks.data_table import FILE, prepare_table
from benchmarks.ingest_writes import (
    PROTOCOLS,
    Protocol,
    make_bodies,
    put_rule,
    read_rule,
    running_service,
    send_all,
    time_reading,
)
from tests.e2e.servers import Server, server

LEAST = 0.3
"""of the rate of what stands beside"""
SERIES = 5000
SCRAPES = 200
ROUNDS = 3
ROWS = ("copy", "writes")


def count_rows(url: str) -> int:
    """Return the observations of a database."""
    with opened(url) as database, database.read() as session:
        return session.scalar(select(func.count()).select_from(Observation)) or 0


def measure_copy(data: Path, series: int | None, postgresql: Server) -> dict[str, float]:
    """Copy M5's sales from SQLite to PostgreSQL, and print the rates."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = prepare_table(data / FILE, folder, series)
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
    return {"rows": table.rows, "copy_s": raw, "gatecast_copy_s": seconds, "ratio": ratio}


def measure_writes(protocol: Protocol, postgresql: Server) -> dict[str, float]:
    """Send the samples of a protocol to a service, in turn with reading them alone; print the best of each."""
    bodies = make_bodies(protocol, SERIES, SCRAPES)
    samples = SERIES * SCRAPES
    taken, parsed, read = [], [], []
    for _ in range(ROUNDS):
        with running_service(postgresql.database()) as service:
            put_rule(service.url)
            port = urlsplit(service.url).port
            assert port is not None
            first = bodies[: SERIES // 1000]
            asyncio.run(send_all(port, protocol, first))  # which makes the series
            taken.append(asyncio.run(send_all(port, protocol, bodies)))
            rule = read_rule(service.url)
            assert rule["dropped"] == 0, rule
            assert rule["series"] == SERIES, rule
        parsed.append(time_reading(protocol.parse, bodies))
        read.append(time_reading(protocol.read, bodies))
    rates = {"taken": samples / min(taken), "parsed": samples / min(parsed), "read": samples / min(read)}
    rates |= {"of_parsed": rates["taken"] / rates["parsed"], "of_read": rates["taken"] / rates["read"]}
    print(f"{protocol.name}: {rates['taken']:9.0f} samples a second (at least {LEAST})")
    for what in ("read", "parsed"):
        print(f"    {rates[f'of_{what}']:.2f} of {rates[what]:9.0f} that are {what} alone", flush=True)
    return rates


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--series", type=int, metavar="N", help="copy the first N series alone, for a short trial")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    args = parser.parse_args()
    if "copy" in args.rows and not (args.data / FILE).exists():
        raise SystemExit(f"{args.data / FILE} is not there; --data names the folder of the data sets")
    figures: dict[str, object] = {}
    with server() as postgresql:
        if "copy" in args.rows:
            figures["copy"] = measure_copy(args.data, args.series, postgresql)
        if "writes" in args.rows:
            figures |= {protocol.name: measure_writes(protocol, postgresql) for protocol in PROTOCOLS}
    names = ("SQLAlchemy", "psycopg", "numpy", "protobuf", "pyarrow", "line-protocol-parser")
    print(json.dumps(figures | {"packages": {one: version(one) for one in names}}))


if __name__ == "__main__":
    main()
