"""What serving forecasts costs: each row beside its reference in one run, the server on one core, the load on another.

python -m benchmarks.serving [--only ROW ...] [--seconds 5] [--rounds 3] [--connections 16 64] [--data FOLDER]

Gatecast runs as in earnest: keys on, request ids, metrics, JSON logs. Loads come from wrk. Servers are measured in
turn, several rounds; figures are medians, ratios medians of the rounds' own. `--data` keeps the stored series and the
trained model for the next run; those of an older release stay as that one made them.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import serving_batch, serving_beside, serving_fresh, serving_memory, serving_speed, serving_start
from benchmarks.accuracy import PEER_PYTHON
from benchmarks.serving_data import FEW, MANY, prepare
from benchmarks.serving_load import wrk_version
from benchmarks.serving_report import Options, Row, Setting, head
from benchmarks.serving_servers import NotMeasured, Place, cores

PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "onnxruntime", "numpy", "sqlalchemy", "orjson")


@dataclass(frozen=True)
class Group:
    """Rows that are measured together, and the series that they need."""

    measure: Callable[[Setting], Iterator[Row]]
    series: int = FEW


GROUPS: Mapping[str, Group] = {
    "forecast": Group(serving_speed.forecast),
    "litserve": Group(serving_speed.litserve),
    "latency": Group(serving_speed.latency),
    "polling": Group(serving_speed.polling),
    "batch": Group(serving_batch.batch, MANY),
    "start": Group(serving_start.start),
    "memory": Group(serving_memory.memory, MANY),
    "training": Group(serving_beside.beside),
    "fresh": Group(serving_fresh.fresh),
}


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    arguments = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, as by Ctrl-C
    about = {"wrk": wrk_version(), "cores": cores(), **packages()}
    rows: list[Row] = []
    refused: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        setting_of = Options.of(arguments, Path(arguments.data or folder))
        setting_of.data.mkdir(parents=True, exist_ok=True)
        print(head())
        for name in arguments.only or GROUPS:
            try:
                for row in rows_of(GROUPS[name], setting_of):
                    rows.append(row)
                    print(row.line(), flush=True)
            except Exception as e:  # the other rows go on
                refused[name] = (str(e) or repr(e)).splitlines()[0]
                print(f"{name}: NOT MEASURED: {refused[name]}", flush=True)
                if not isinstance(e, NotMeasured):
                    traceback.print_exc()
    document = {"benchmark": "serving", "rows": [row.document() for row in rows], "not_measured": refused}
    print(json.dumps({**document, "seconds": arguments.seconds, "rounds": arguments.rounds, **about}))
    sys.exit(1 if refused else 0)


def rows_of(group: Group, options: Options) -> Iterator[Row]:
    """Prepare what a group needs and measure it."""
    place = Place(options.data)
    prepare(place, group.series)
    yield from group.measure(Setting(place, options))


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), help="groups of rows; all by default")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, whole ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--requests", type=int, default=100_000, help="of memory; a million for the record")
    parser.add_argument("--writes", type=int, default=1000, help="of fresh; ten thousand for the record")
    parser.add_argument("--data", help="folder that keeps series and model; by default a new one for each run")
    return parser.parse_args()


def packages() -> dict[str, Any]:
    """Return the versions that the figures belong to."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    if PEER_PYTHON.exists():
        told = "import importlib.metadata as m; print(m.version('litserve'), m.version('torch'))"
        peer = subprocess.run([PEER_PYTHON, "-c", told], capture_output=True, text=True, check=False)
        found["litserve"], found["peer_torch"] = [*peer.stdout.split(), None, None][:2]
    return found


if __name__ == "__main__":
    main()
