"""A GPU in one command: how exactly and how fast it trains and serves, beside the CPU and beside its own limits.

python -m benchmarks.gpu [--device auto|cpu|cuda] [--seconds 3] [--small] [--out FILE]

It needs no network and takes six minutes at most; benchmarks/README-gpu.md tells what a bare machine needs. In turn:

- parity of training: the same small training on the CPU in float32 and on the device in float32 and in bfloat16;
- parity of serving: the golden vectors of an exported version, through the service's own session in torch;
- training: the default network with mixed precision on and off and torch.compile on and off, an ensemble, and the
  articles' network; beside each a bare `nn.LSTM` of its shape that is fed from the device, and the share of the time
  in which the GPU computes;
- copies: how many windows a second the device's memory and the bus could feed;
- serving: forecasts a second and latency of the session in torch and of ONNX Runtime, which runs on one core of the
  CPU as the service has it run there: its wheel for GPUs is several hundred megabytes.

What cannot be measured has a row that says why. A difference that is larger than allowed says MISSED.
"""

import argparse
import json
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch

from benchmarks import gpu_parity, gpu_serving, gpu_training
from benchmarks.gpu_clock import Clock, describe_error
from benchmarks.gpu_learner import FULL, SMALL, Sizes
from benchmarks.gpu_model import write_version

LIMIT_SECONDS = 320.0
"""after which no further row is begun"""
VERSION = Path(".gpu-wheels/version")
"""where `make gpu-wheels` writes the version that is served"""
PACKAGES = ("numpy", "onnxruntime", "pandas", "torch", "triton")


Document = dict[str, Any]


class Row(Protocol):
    """One figure, measured or not."""

    def line(self) -> str:
        """Return the row of the table."""

    def document(self) -> Document:
        """Return the row for the line of JSON."""


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line. Ends with status 2 where a GPU is asked for and there is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--seconds", type=float, help="of each measurement; 3 by default, 0.2 with --small")
    parser.add_argument("--small", action="store_true", help="small sizes, for a look on the CPU; nothing is compiled")
    parser.add_argument("--version", type=Path, help=f"folder of the version that is served; {VERSION} by default")
    parser.add_argument("--out", type=Path, help="file that the JSON is written to as well")
    args = parser.parse_args(given)
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error(
            "there is no GPU that torch can use here: say --device cpu, or install a driver and torch for CUDA"
        )
    args.seconds = args.seconds if args.seconds is not None else 0.2 if args.small else 3.0
    return args


def describe(device: torch.device) -> Document:
    """Return what the machine is, for the line of JSON."""
    about: Document = {
        "device": device.type,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }
    if device.type == "cuda":
        about["gpu"] = torch.cuda.get_device_name(device)
        about["cuda"] = torch.version.cuda
        about["cudnn"] = torch.backends.cudnn.version()
    return about


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Report:
    """Takes rows as they are measured, prints each at once, and keeps what the line of JSON tells."""

    def __init__(self) -> None:
        self.sections: dict[str, list[Document]] = {}
        self.failed: dict[str, str] = {}

    def take(self, section: str, head: str, measure: Callable[[], Iterable[Row]]) -> None:
        """Take a section's rows; one that fails costs what it had still to measure, and no other section."""
        self.say(f"\n{head}")
        rows = self.sections.setdefault(section, [])
        try:
            for row in measure():
                self.say(row.line())
                rows.append(row.document())
        except Exception as e:  # drivers raise dozens of kinds, and a run on a lent machine is not soon repeated
            traceback.print_exc(file=sys.stderr)
            self.failed[section] = describe_error(e)
            self.say(f"failed: {self.failed[section]}")

    def say(self, line: str) -> None:
        """Print a line at once: a run that is cut off has told what it measured."""
        print(line, flush=True)


def served_version(args: argparse.Namespace, sizes: Sizes, scratch: Path) -> gpu_serving.Version:
    """Return the version that is served, written into `scratch` where none is given and none lies ready."""
    given = args.version or (VERSION if VERSION.is_dir() and not args.small else None)
    if given is None:
        write_version(scratch, sizes)
    return gpu_serving.open_version(given or scratch)


def measure(args: argparse.Namespace, device: torch.device, sizes: Sizes, clock: Clock) -> Report:
    """Measure everything."""
    report, seconds = Report(), args.seconds
    report.take("training_parity", gpu_parity.head(), lambda: gpu_parity.compare_training(sizes, device))
    with tempfile.TemporaryDirectory() as scratch:
        served: list[gpu_serving.Version] = []

        def compare() -> Iterable[Row]:
            served.append(served_version(args, sizes, Path(scratch)))
            yield from gpu_serving.compare_serving(served[0], device, clock)

        report.take("serving_parity", gpu_serving.parity_head(), compare)
        report.take(
            "serving",
            gpu_serving.head(),
            lambda: (
                row for one in served for row in gpu_serving.measure_serving(one, sizes.served, device, seconds, clock)
            ),
        )
    report.take("copies", "copies", lambda: gpu_training.measure_copies(sizes, device, seconds))
    report.take(
        "training",
        gpu_training.head(),
        lambda: gpu_training.measure_training(sizes, device, seconds, clock, compiles=not args.small),
    )
    return report


def main(given: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its tables and its line of JSON; end with status 1 where a section failed."""
    args = arguments(given)
    clock = Clock(LIMIT_SECONDS)
    device = torch.device("cpu" if args.device == "cpu" or not torch.cuda.is_available() else "cuda")
    about = describe(device)
    print(
        f"{about.get('gpu', 'CPU')}, torch {about['packages']['torch']}, {args.seconds:g} s a measurement", flush=True
    )
    report = measure(args, device, SMALL if args.small else FULL, clock)
    document = {
        **about,
        "small": args.small,
        "seconds": round(clock.passed, 1),
        **report.sections,
        "failed": report.failed,
    }
    text = json.dumps(document)
    if args.out is not None:
        args.out.write_text(text + "\n")
    print(f"\n{clock.passed:.0f} s in all")
    print(text)
    if report.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
