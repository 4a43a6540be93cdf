"""Transfer where history is short: zones of an electricity grid of which only the last weeks are known.

python -m benchmarks.transfer --data ../shared/data [--zones 5] [--weeks 4 8 16] [--seconds 20]

A model is trained on ten zones of GEFCom 2012 with all of their history. Then other zones are forecast, each one alone,
a day ahead through the test rows: all but its last weeks before them are withheld. `fresh` learns from those weeks
alone, `auto` has the pretrained network as a further member, `tuned` begins from the model of the ten zones, `frozen`
keeps that one's encoder, and `as it is` learns nothing.
All have the same training time. Values are mean absolute errors over season-naive's (the better of day and week).
"""

import argparse
import json
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.accuracy_data import Part, part_of
from benchmarks.accuracy_run import forecast, say, teller
from benchmarks.accuracy_score import LEVELS, MEASURES, best_naive, coverage, outcome
from models.data.series import Panel, Series
from models.planning.defaults import default_config
from models.training.fit import fine_tune, fit
from models.training.fitted import Fitted

FILE = "gefcom2012_load.parquet"
SOURCES = 10
HORIZON, DAY, WEEK = 24, 24, 168
STRIDE = 25
"""hours from one origin to the next, so that they lie at every hour of the day"""
KINDS = ("fresh", "auto", "tuned", "frozen", "as it is")
OF_ZONES = ("tuned", "frozen", "as it is")
"""kinds that begin from the model of other zones"""


def zones(path: Path) -> tuple[list[Series], int]:
    """Return the zones in their order, and the position of the first test row."""
    frame = pd.read_parquet(path)
    full = list(Panel.from_frame(frame[["unique_id", "ds", "y"]], "h").series)
    full.sort(key=lambda one: int(one.id.removeprefix("zone")))
    first = frame[frame["unique_id"] == full[0].id]
    return full, int((first["split"] == "train").sum())


def short(one: Series, end: int, weeks: int) -> Part:
    """Return a zone of which `weeks` before `end` are known, judged on what comes after."""
    begin = end - weeks * WEEK
    known = replace(one, y=one.y[begin:], start=one.start + begin)
    here = end - begin
    origins = np.arange(here - 1, len(known.y) - HORIZON, STRIDE, dtype=np.int64)
    return part_of([known], [here], origins[None], HORIZON, (DAY, WEEK))


def trained(kind: str, source: Fitted | None, part: Part, seconds: float, name: str) -> Fitted:
    """Return the model of one kind; `source` is that of other zones, where a kind needs it."""
    if kind in ("fresh", "auto"):
        network = {"pretrained": True} if kind == "auto" else None
        config = default_config(part.panel, HORIZON, LEVELS, network=network, training={"time_budget_s": seconds})
        return fit(part.panel, config, on_progress=teller(name))
    assert source is not None
    if kind == "as it is":
        return source
    training = {"time_budget_s": seconds}
    return fine_tune(source, part.panel, freeze_encoder=kind == "frozen", training=training, on_progress=teller(name))


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--zones", type=int, default=5, help="zones that are forecast, of ten")
    parser.add_argument("--weeks", type=int, nargs="+", default=[4, 8, 16], help="weeks of history that are kept")
    parser.add_argument("--seconds", type=float, default=20.0, help="training time of each model")
    parser.add_argument("--source-seconds", type=float, default=120.0, help="that of the model of ten zones")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="kinds that are compared")
    args = parser.parse_args()
    if not (args.data / FILE).is_file():
        parser.error(f"no {args.data / FILE}: --data names the folder that holds the data sets")
    full, end = zones(args.data / FILE)
    before = Panel(full[0].grid.frequency, tuple(replace(one, y=one.y[:end]) for one in full[:SOURCES]))
    source = None
    if set(args.kinds) & set(OF_ZONES):
        config = default_config(before, HORIZON, LEVELS, training={"time_budget_s": args.source_seconds})
        source = fit(before, config, on_progress=teller("ten zones"))
    print(
        f"{'weeks':>5} " + " ".join(f"{kind:>9}" for kind in args.kinds) + "   MAE over season-naive's; 80 % coverage"
    )
    rows: list[dict[str, Any]] = []
    for weeks in args.weeks:
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in args.kinds}
        for one in full[SOURCES : SOURCES + args.zones]:
            part = short(one, end, weeks)
            naive = MEASURES["mae"]([best_naive(part)[0]])
            for kind in args.kinds:
                name = f"{one.id}, {weeks} weeks, {kind}"
                said = [outcome(part, forecast(name, trained(kind, source, part, args.seconds, name), part))]
                found[kind].append((MEASURES["mae"](said) / naive, coverage(said)))
                say(f"{name}: {found[kind][-1][0]:.3f}")
        means = {kind: np.mean(found[kind], axis=0).tolist() for kind in args.kinds}
        rows.append({"weeks": weeks, "zones": args.zones, "means": means, "each": found})
        shares = " ".join(f"{means[kind][0]:9.3f}" for kind in args.kinds)
        print(f"{weeks:5d} {shares}   " + ", ".join(f"{100 * means[kind][1]:.0f}" for kind in args.kinds), flush=True)
    packages = {name: version(name) for name in ("numpy", "torch")}
    about = {"threads": torch.get_num_threads(), "python": platform.python_version(), "packages": packages}
    print(json.dumps({"seconds": args.seconds, **about, "rows": rows}))


if __name__ == "__main__":
    main()
