"""Accuracy on public data sets, each by its field's protocol: one code, default settings, no set's own options.

python -m benchmarks.accuracy --data ../shared/data [--row m4_hourly etth1] [--peer] [--holdout]

Progress goes to standard error, a row of the table to standard output as soon as it is known, and all rows as one
JSON object to its last line. `--holdout` judges the end of each training split instead of the test rows: tuning
never sees those. `--peer` trains neuralforecast's LSTM for as long as ours took and judges both on the same windows.
"""

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.accuracy_rows import ROWS
from benchmarks.accuracy_run import Options, score

PEER_PYTHON = Path(__file__).resolve().parent.parent / ".venv-bench" / "bin" / "python"
HEAD = (
    f"{'row':10} {'measure':7} {'value':>8} {'must':>7} {'aim':>7} {'naive':>8} {'peer':>8} {'ours*':>8}"
    f" {'80 %':>6} {'static':>6} {'seconds':>8}   * on the peer's windows"
)


def line(found: dict[str, Any]) -> str:
    """Return the table's line of a row; `ours*` is ours on the peer's windows, `static` coverage without replays."""

    def number(value: float | None, width: int = 8) -> str:
        return f"{'-' if value is None else format(value, '.3f'):>{width}}"

    other = found["peer"] or {"value": None, "ours": None}
    parts = [f"{found['row']:10} {found['measure']:7}", number(found["value"]), number(found["must"], 7)]
    parts += [number(found["aim"], 7), number(found["season_naive"]), number(other["value"]), number(other["ours"])]
    parts += [f"{100 * found['coverage_80']:6.1f}", f"{100 * found['static']['coverage_80']:6.1f}"]
    parts += [f"{found['seconds']:8.0f}"]
    ets = found["auto_ets"]
    return " ".join(parts) + (f"   AutoETS {ets['value']:.3f}, ours {ets['ours']:.3f} on the same" if ets else "")


def setting(text: str) -> tuple[str, Any]:
    """Read `key=value`, the value as JSON or else as text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def arguments() -> argparse.Namespace:
    """Read the command line. Ends with status 2 where data or the peers' environment is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the Parquet files")
    parser.add_argument("--row", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--holdout", action="store_true", help="judge the end of the training split: for tuning")
    parser.add_argument("--peer", action="store_true", help="judge the peers too")
    parser.add_argument("--peer-python", type=Path, default=PEER_PYTHON, help="interpreter of the peers' environment")
    parser.add_argument("--json", type=Path, help="write the JSON object here too, after every row")
    help_text = "override a default (JSON), for experiments: the table that is kept has none"
    for group in ("network", "training"):
        parser.add_argument(f"--{group}", nargs="+", type=setting, default=[], metavar="KEY=VALUE", help=help_text)
    args = parser.parse_args()
    wanted = sorted({file for name in args.row for file in ROWS[name].files})
    absent = [str(args.data / file) for file in wanted if not (args.data / file).is_file()]
    if absent:
        parser.error(f"no {', '.join(absent)}: --data names the folder that holds the data sets")
    if args.peer and not args.peer_python.is_file():
        parser.error(f"no {args.peer_python}: 'make peers' installs the peers, --peer-python names others")
    return args


def main() -> None:
    """Run the rows and print the table and its line of JSON."""
    args = arguments()
    options = Options(
        holdout=args.holdout,
        peers=args.peer,
        peer_python=args.peer_python,
        network=dict(args.network),
        training=dict(args.training),
    )
    print(HEAD, flush=True)
    rows: list[dict[str, Any]] = []
    for name in args.row:
        row = ROWS[name]
        parts = row.load(args.data / row.files[0], options.holdout)
        rows.append(score(name, row, parts, options))
        print(line(rows[-1]), flush=True)
        if args.json:
            args.json.write_text(json.dumps({**about(options), "rows": rows}, indent=1))
    print(json.dumps({**about(options), "rows": rows}))


def about(options: Options) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "holdout": options.holdout,
        "network": options.network,
        "training": options.training,
        "threads": torch.get_num_threads(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "pandas", "torch")},
    }


if __name__ == "__main__":
    main()
