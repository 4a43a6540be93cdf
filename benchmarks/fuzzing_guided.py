"""Fuzzing of the binary parsers by atheris, which keeps inputs that reach new lines; benchmarks.fuzzing runs it.

python -m benchmarks.fuzzing_guided NAME FOLDER runs one of them for ever, from the inputs in a folder.
"""

import argparse
import base64
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COVERED = (
    "Parquet", "Arrow", "remote write, blocks", "remote write 1.0", "remote write 2.0", "compressed bodies", "forms",
    "manifests", "weights", "checkpoints",
)  # fmt: skip
"""the binary parsers"""
INSTRUMENTED = [
    "app.formats", "app.services.ingest", "app.services.samples", "app.api.http", "models.inference", "models.config",
    "models.training.checkpoint", "models.export.load",
]  # fmt: skip
"""packages whose lines guide: our own, between the bytes and the native code"""
SECONDS = 10
"""of one input"""
MEMORY_MB = 4096
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
_UNITS = re.compile(r"stat::number_of_executed_units: *(\d+)")
_SHOWN = re.compile(
    r"^(?:\w+\.)*\w*(?:Error|Exception|Hang|Interrupt)\b.*$|ERROR: libFuzzer: .*$|^ ?=+ ?Uncaught.*$", re.MULTILINE
)


def is_installed() -> bool:
    """Say whether atheris is there."""
    return importlib.util.find_spec("atheris") is not None


def run_guided(names: Sequence[str], seconds: float) -> dict[str, Any]:
    """Run those of some parsers that are binary, for some seconds each, and print a row for each."""
    print(f"\n{'guided by coverage':24}{'inputs':>9}{'coverage':>10}{'features':>10}{'crashes':>9}")
    rows: dict[str, Any] = {}
    for name in names:
        if name in COVERED:
            rows[name] = row = _run_one(name, seconds)
            print(f"{name:24}{row['inputs']:9}{row['coverage']:10}{row['features']:10}{row['crashes']:9}", flush=True)
            for told in row["found"]:
                print(f"    {told}", flush=True)
    return rows


def _run_one(name: str, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gatecast-fuzzing-") as place:
        folder = Path(place)
        (folder / "inputs").mkdir()
        command = [sys.executable, "-m", "benchmarks.fuzzing_guided", name, str(folder), f"--seconds={int(seconds)}"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        crashed = sorted(file for file in folder.iterdir() if file.is_file())
        contents = [base64.b64encode(file.read_bytes()).decode() for file in crashed]
    coverage = _COVERAGE.findall(said)
    units = _UNITS.findall(said)
    if not coverage and not crashed:
        raise SystemExit(f"{name}: atheris did not run: {said[-1000:]}")
    reasons = [match[0] for match in _SHOWN.finditer(said)][:3]
    return {
        "inputs": int(units[-1]) if units else 0,
        "coverage": int(coverage[-1][0]) if coverage else 0,
        "features": int(coverage[-1][1]) if coverage else 0,
        "crashes": len(crashed),
        "found": [*reasons, *contents] if crashed else [],
    }


def main() -> None:
    """Fuzz one parser until its time is over, or an input crashes it."""
    import atheris  # type: ignore[import-untyped,unused-ignore]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=COVERED)
    parser.add_argument("folder", type=Path, help="where inputs that crash are put; its folder inputs has valid ones")
    parser.add_argument("--seconds", type=int, default=0)
    args = parser.parse_args()
    with atheris.instrument_imports(include=INSTRUMENTED):
        from benchmarks import fuzzing_bytes, fuzzing_tables, fuzzing_versions
    targets = (*fuzzing_bytes.TARGETS, *fuzzing_tables.TARGETS, *fuzzing_versions.TARGETS)
    target = next(target for target in targets if target.name == args.name)
    for number, seed in enumerate(target.make_seeds()):
        (args.folder / "inputs" / str(number)).write_bytes(seed)
    tempfile.tempdir = str(args.folder / "inputs")  # whoever has made it removes it
    options = [
        f"-max_total_time={args.seconds}",
        f"-timeout={SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
        f"-artifact_prefix={args.folder}/",
    ]
    with target.open_parser() as parse:

        def run(data: bytes) -> None:
            try:
                parse(data)
            except target.refusals:
                return

        atheris.Setup([sys.argv[0], *options, str(args.folder / "inputs")], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
