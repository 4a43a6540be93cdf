"""Plots of the table of networks, and the table as Markdown on standard output.

python -m benchmarks.networks_plot results.json docs/networks
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.networks_rows import SETS

Rows = dict[str, dict[str, Any]]

FAMILIES = {
    "Gatecast, gated": ("#1b6ca8", ("gated", "chosen")),
    "Gatecast, bare": ("#7fb3d5", ("bare",)),
    "articles": ("#c0392b", ("articles",)),
    "neuralforecast": ("#8e5ea2", ("neuralforecast",)),
    "statistics": ("#7f8c8d", ("auto-ets", "season-naive")),
}
SIZE = 8
WORST = 2.0
"""bars end there"""


def family(name: str) -> str:
    """Return the family of a row."""
    return next(title for title, (_, starts) in FAMILIES.items() if name.startswith(starts))


def errors(axes: Axes, title: str, rows: Rows) -> None:
    """Draw the error of each row over season-naive's, the best at the top."""
    order = sorted(rows, key=lambda name: -rows[name]["mae_over_naive"])
    values = [min(rows[name]["mae_over_naive"], WORST) for name in order]
    axes.barh(range(len(order)), values, color=[FAMILIES[family(name)][0] for name in order], height=0.7)
    axes.set_yticks(range(len(order)), [rows[name]["title"] for name in order], fontsize=SIZE - 1)
    axes.axvline(1.0, color="#333333", linewidth=0.8, linestyle="--")
    axes.set_title(title, fontsize=SIZE + 2)
    axes.set_xlabel("mean absolute error over season-naive's", fontsize=SIZE)
    axes.tick_params(axis="x", labelsize=SIZE)
    axes.margins(y=0.01)
    axes.spines[["top", "right"]].set_visible(False)


def speeds(axes: Axes, sets: dict[str, Rows], field: str, label: str, factor: float) -> None:
    """Draw the error of each row, its geometric mean over the sets, over a speed, its median."""
    names = [name for name in next(iter(sets.values())) if all(name in rows for rows in sets.values())]
    for title, (color, _) in FAMILIES.items():
        own = [name for name in names if family(name) == title]
        own = [name for name in own if all(rows[name].get(field) for rows in sets.values())]
        if own:
            x = [factor * np.median([rows[name][field] for rows in sets.values()]) for name in own]
            y = [mean_error(sets, name) for name in own]
            axes.scatter(x, y, color=color, s=28, label=title)
    axes.set_xscale("log")
    axes.axhline(1.0, color="#333333", linewidth=0.8, linestyle="--")
    axes.set_xlabel(label, fontsize=SIZE)
    axes.set_ylabel("error over season-naive's, all sets", fontsize=SIZE)
    axes.tick_params(labelsize=SIZE)
    axes.spines[["top", "right"]].set_visible(False)


def markdown(sets: dict[str, Rows]) -> str:
    """Return the table: a row a network, the best in the mean of all sets first."""
    titles = [f"{SETS[name].title}, {SETS[name].measure.upper()}" for name in sets]
    lines = [
        f"| network | {' | '.join(titles)} | MAE over naive's, all | 80 % | windows/s | ms |",
        "| --- |" + " --- |" * (len(sets) + 4),
    ]
    names = [name for name in next(iter(sets.values())) if all(name in rows for rows in sets.values())]
    for name in sorted(names, key=lambda name: mean_error(sets, name)):
        rows = [one[name] for one in sets.values()]
        shares, speeds = [row["coverage_80"] for row in rows], [row.get("windows_per_second") for row in rows]
        cells = [f"{row['value']:.3f}" if row["value"] < 10 else f"{row['value']:.1f}" for row in rows]
        cells.append(f"{mean_error(sets, name):.3f}")
        cells.append("-" if None in shares else f"{100 * np.mean(shares):.0f}")
        cells.append("-" if None in speeds else f"{np.median(speeds):,.0f}".replace(",", " "))
        latency = 1000 * float(np.median([row["latency_s"] for row in rows]))
        cells.append(f"{latency:.0f}" if latency >= 10 else f"{latency:.2f}")
        lines.append(f"| {rows[0]['title']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean_error(sets: dict[str, Rows], name: str) -> float:
    """Return the geometric mean over the sets of a row's error over season-naive's."""
    return float(np.exp(np.mean([np.log(rows[name]["mae_over_naive"]) for rows in sets.values()])))


def main() -> None:
    """Write accuracy.svg and speed.svg, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what benchmarks.networks --json wrote")
    parser.add_argument("folder", type=Path, help="where the plots go")
    args = parser.parse_args()
    sets: dict[str, Rows] = json.loads(args.results.read_text())["sets"]
    mpl.rcParams["svg.hashsalt"] = "gatecast"  # the same results give the same files
    mpl.rcParams["svg.fonttype"] = "none"
    args.folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(11, 11), layout="constrained", facecolor="white")
    for axes, (name, rows) in zip(figure.subplots(2, 2).flat, sets.items(), strict=False):
        errors(axes, SETS[name].title, rows)
    figure.savefig(args.folder / "accuracy.svg", metadata={"Date": None})
    figure = Figure(figsize=(11, 4.2), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    speeds(left, sets, "windows_per_second", "windows a second in training", 1.0)
    speeds(right, sets, "latency_s", "milliseconds for the forecast of one series", 1000.0)
    right.legend(fontsize=SIZE, frameon=False, loc="center right")
    figure.savefig(args.folder / "speed.svg", metadata={"Date": None})
    print(markdown(sets))


if __name__ == "__main__":
    main()
