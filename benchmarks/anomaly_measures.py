"""Measures of anomaly scores that know no threshold: VUS-PR and PATE, by their authors' packages.

.venv-bench/bin/python -m benchmarks.anomaly_measures FOLDER [--row NAME ...]

FOLDER is what `benchmarks.anomalies --keep FOLDER` wrote; `make peers` brings the packages. Both measures are means
over the files with a labelled window; the probationary rows are left out. VUS-PR is the volume under the surface of
precision and recall over buffers up to 100 rows around a window (Paparrizos et al. 2022), PATE weighs early and late
detections within such buffers (Ghorbani et al. 2024). Scores are taken as they are, without a rest.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pate.PATE_metric import PATE
from vus.utils.metrics import metricor

BUFFER = 100
"""rows around a window"""
THRESHOLDS = 50
"""of PATE, which takes some tenths of a second for each"""


def main() -> None:
    """Print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where benchmarks.anomalies keeps its scores")
    parser.add_argument("--row", nargs="+", help="detectors, by name, instead of all")
    args = parser.parse_args()
    paths = sorted(args.folder.glob("*.npz"))
    if not paths:
        parser.error(f"nothing is in {args.folder}: run python -m benchmarks.anomalies --keep {args.folder}")
    print(f"{'detector':30}{'VUS-PR':>10}{'PATE':>10}{'files':>10}")
    rows: dict[str, Any] = {}
    for path in paths:
        if args.row and path.stem not in args.row:
            continue
        with np.load(path) as kept:
            names = sorted(name.removesuffix(".score") for name in kept.files if name.endswith(".score"))
            found = [measure(kept[f"{name}.score"], kept[f"{name}.label"]) for name in names]
        told = np.array([one for one in found if one is not None])
        vus, pate = told.mean(0).tolist()
        rows[path.stem] = {"vus_pr": vus, "pate": pate, "files": len(told)}
        print(f"{path.stem:30}{vus:10.3f}{pate:10.3f}{len(told):10d}", flush=True)
    print(json.dumps({"packages": {name: version(name) for name in ("vus", "PATE")}, "detectors": rows}))


def measure(score: Any, label: Any) -> tuple[float, float] | None:
    """Return VUS-PR and PATE of scores (N,) by labels (N,), 1 within a window; None without a window."""
    if not label.any():
        return None
    score = np.nan_to_num(score)
    volume = metricor().RangeAUC_volume_opt(labels_original=label, score=score, windowSize=BUFFER, thre=250)[-1]
    pate = PATE(label, score, e_buffer=BUFFER, d_buffer=BUFFER, num_desired_thresholds=THRESHOLDS)
    return float(volume), float(pate)


if __name__ == "__main__":
    main()
