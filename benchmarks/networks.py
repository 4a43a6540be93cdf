"""Every network that Gatecast trains, given equal time, beside what a user could pick instead.

python -m benchmarks.networks --data ../shared/data [--set bike_sharing] [--network chosen bare] [--seconds 40]

All rows of a data set are judged on the same windows of its test rows. Beside Gatecast's networks stand season-naive,
AutoETS (on the last 1000 steps), the articles' two networks as they write them, and neuralforecast's LSTM and GRU.
A row comes to standard output as soon as it is known, all of them as one JSON object to the last line. `--json` names
a file that keeps them: rows that it holds are not run again, so that an interrupted run goes on.
"""

import argparse
import hashlib
import json
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from app.serving.runtime import load_version
from benchmarks import accuracy_peer as peer
from benchmarks import articles
from benchmarks.accuracy import PEER_PYTHON
from benchmarks.accuracy_data import Part
from benchmarks.accuracy_run import forecast, say, teller
from benchmarks.accuracy_score import (
    LEVELS,
    MEASURES,
    SEASONS_OF_NAIVE,
    Outcome,
    as_quantiles,
    best_naive,
    coverage,
    outcome,
)
from benchmarks.networks_rows import NETWORKS, SETS, Network, Set
from benchmarks.peers import median_seconds
from models.classical.statistical_models import season_naive
from models.export.export import export
from models.inference.predict import predict
from models.inference.published import MANIFEST
from models.planning.defaults import default_config
from models.training.fit import fit
from models.training.fitted import Fitted

ETS_STEPS = 1000
EPOCHS = 2000
"""more than any network reaches: the time ends the training"""
OTHERS = {
    "season-naive": "season-naive",
    "auto-ets": "AutoETS",
    "articles-next-value": "articles: LSTM(50), Dense(1)",
    "articles-all-steps": "articles: two LSTM(64), Linear",
    "neuralforecast-lstm": "neuralforecast LSTM",
    "neuralforecast-gru": "neuralforecast GRU",
}
HEAD = f"{'set':13} {'network':31} {'value':>8} {'MAE/naive':>9} {'80 %':>6} {'windows/s':>10} {'ms':>8} {'seconds':>8}"

Found = dict[str, Any]


def ours(name: str, which: Network, one: Set, part: Part, seconds: float) -> tuple[Outcome, Found]:
    """Train one of Gatecast's networks, forecast, and time the forecast that a service would make."""
    read = {} if name == "chosen" else {"context_length": one.context}
    training = {"time_budget_s": seconds, "epochs": EPOCHS, **which.training}
    network = {**read, **which.network}
    config = default_config(part.panel, part.horizon, LEVELS, network=network, training=training)
    fitted = fit(part.panel, config, on_progress=teller(f"{one.title}, {which.title}"))
    found = {
        "windows_per_second": fitted.report.windows_per_second,
        "latency_s": latency(fitted, part),
        "seconds": fitted.report.seconds,
        "steps": fitted.report.selected_steps,
        "context": config.network.context_length,
    }
    return outcome(part, forecast(one.title, fitted, part)), found


def latency(fitted: Fitted, part: Part) -> float:
    """Return the median seconds of a forecast of one series by ONNX Runtime, its window's cutting included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(fitted, folder)
        loaded = load_version(digest_of(folder), lambda file: (folder / file).read_bytes())
    one, origins = [part.series[0]], [int(part.origins[0, 0])]
    return median_seconds(lambda: predict(one, loaded.run, loaded.config, origins))


def digest_of(folder: Path) -> str:
    """Return the digest that an export's manifest is published with."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def naive(part: Part) -> tuple[Outcome, Found]:
    """Forecast by season-naive, the better of the set's seasons."""
    best, season = best_naive(part)
    seen = part.series[0].y[: part.origins[0, 0] + 1][-SEASONS_OF_NAIVE * season :]
    return best, {"latency_s": median_seconds(lambda: season_naive(seen, part.horizon, season)), "seconds": 0.0}


def other(name: str, one: Set, part: Part, args: argparse.Namespace) -> tuple[Outcome, Found]:
    """Run what is not Gatecast's."""
    if name == "season-naive":
        return naive(part)
    if name == "auto-ets":
        found, answer = peer.ets(args.peer_python, part, ETS_STEPS)
        return found, {"latency_s": answer["seconds"] / part.origins.size, "seconds": answer["seconds"]}
    if name.startswith("articles"):
        said = articles.run(name.removeprefix("articles-"), part, one.context, args.seconds)
        told = {"windows_per_second": said.windows_per_second, "latency_s": said.latency_s, "seconds": args.seconds}
        return outcome(part, as_quantiles(said.point)), {**told, "point": True}
    kind = "LSTM" if name.endswith("lstm") else "GRU"
    return peer.recurrent(args.peer_python, part, one.context, args.seconds, True, model=kind, latency=True)


def row(name: str, one: Set, part: Part, floor: float, args: argparse.Namespace) -> Found:
    """Return a row of the table; `floor` is season-naive's mean absolute error."""
    title = NETWORKS[name].title if name in NETWORKS else OTHERS[name]
    say(f"{one.title}, {title}")
    began = time.perf_counter()
    if name in NETWORKS:
        found, told = ours(name, NETWORKS[name], one, part, args.seconds)
    else:
        found, told = other(name, one, part, args)
    pointed = told.pop("point", False) or name == "season-naive"
    return {
        "network": name,
        "title": title,
        "measure": one.measure,
        "value": MEASURES[one.measure]([found]),
        "mae_over_naive": MEASURES["mae"]([found]) / floor,
        "coverage_80": None if pointed else coverage([found]),
        "whole_s": time.perf_counter() - began,
        **told,
    }


def line(title: str, found: Found) -> str:
    """Return a row as text."""

    def number(value: float | None, form: str, width: int) -> str:
        return f"{'-' if value is None else format(value, form):>{width}}"

    share, speed = found["coverage_80"], found.get("windows_per_second")
    parts = [f"{title:13} {found['title']:31}", number(found["value"], ".4g", 8)]
    parts += [number(found["mae_over_naive"], ".3f", 9), number(None if share is None else 100 * share, ".1f", 6)]
    parts += [number(speed, ".0f", 10), number(1000 * found["latency_s"], ".2f", 8), number(found["seconds"], ".0f", 8)]
    return " ".join(parts)


def arguments() -> argparse.Namespace:
    """Read the command line. Ends with status 2 where data or the peers' environment is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*OTHERS, *NETWORKS]
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--network", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seconds", type=float, default=40.0, help="training time of each network")
    parser.add_argument("--peer-python", type=Path, default=PEER_PYTHON, help="interpreter of the peers' environment")
    parser.add_argument("--json", type=Path, help="keep the rows here; those that it holds are not run again")
    args = parser.parse_args()
    absent = [str(args.data / SETS[name].file) for name in args.set if not (args.data / SETS[name].file).is_file()]
    if absent:
        parser.error(f"no {', '.join(absent)}: --data names the folder that holds the data sets")
    asked = {"auto-ets", "neuralforecast-lstm", "neuralforecast-gru"}.intersection(args.network)
    if asked and not args.peer_python.is_file():
        parser.error(f"no {args.peer_python}: 'make peers' installs the peers, --network leaves them out")
    return args


def main() -> None:
    """Run what is missing and print the table and its line of JSON."""
    args = arguments()
    kept = rows_of(args)
    print(HEAD, flush=True)
    for place in args.set:
        one, rows = SETS[place], kept.setdefault(place, {})
        part = judged(one, args.data)
        floor = MEASURES["mae"]([best_naive(part)[0]])
        for name in args.network:
            if name not in rows:
                rows[name] = row(name, one, part, floor, args)
            print(line(one.title, rows[name]), flush=True)
            if args.json:
                partial = args.json.with_suffix(".partial")
                partial.write_text(json.dumps({**about(args), "sets": kept}, indent=1))
                partial.replace(args.json)
    print(json.dumps({**about(args), "sets": kept}))


def rows_of(args: argparse.Namespace) -> dict[str, dict[str, Found]]:
    """Return the rows that the JSON file holds. Raises SystemExit where they were made otherwise."""
    if not args.json or not args.json.is_file():
        return {}
    found: Found = json.loads(args.json.read_text())
    rows: dict[str, dict[str, Found]] = found.pop("sets")
    if found != about(args):
        raise SystemExit(f"{args.json} holds rows of {found}, this run's are of {about(args)}: name another file")
    return rows


def judged(one: Set, data: Path) -> Part:
    """Load a data set with the windows that are judged."""
    (part,) = one.load(data / one.file, False)
    return part.take(range(len(part.series)), one.stride)


def about(args: argparse.Namespace) -> Found:
    """Return what the figures depend on."""
    return {
        "seconds": args.seconds,
        "threads": torch.get_num_threads(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "torch", "onnxruntime", "statsforecast")},
    }


if __name__ == "__main__":
    main()
