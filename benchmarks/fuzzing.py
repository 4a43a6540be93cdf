"""Fuzzing of every parser: no input may crash it, hang it, or take memory without bound.

python -m benchmarks.fuzzing [--inputs 10000] [--only NAME ...] [--coverage-guided SECONDS]

In ten inputs of a parser four are made by a grammar of its format, five are valid ones with some changes, and one is
noise. Each has its number and is the same in every run. A crash is whatever is neither a result nor an error that the
parser declares, among them the end of the process; more than 2 seconds of the processor; or more memory than the
parser's bound. Its input is printed in base64: it belongs into the tests of the parser. Each parser has a process of
its own, whose end is seen. Native code that does not come back is given up after 20 seconds.

With --coverage-guided the binary parsers are also driven by atheris, which keeps inputs that reach new lines. It sees
lines of Python alone: of pyarrow, protobuf and snappy only what they raise. This brings it:

pip install -c constraints.txt -c benchmarks/constraints.txt '.[fuzz]'
"""

import argparse
import faulthandler
import json
import mmap
import multiprocessing
import os
import platform
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.fuzzing_bodies import TARGETS as BODIES
from benchmarks.fuzzing_bytes import TARGETS as BYTES
from benchmarks.fuzzing_guided import is_installed, run_guided
from benchmarks.fuzzing_inputs import LARGEST
from benchmarks.fuzzing_run import MOST_CRASHES, Outcome, Target, make_crash, run_target
from benchmarks.fuzzing_tables import TARGETS as TABLES
from benchmarks.fuzzing_texts import TARGETS as TEXTS
from benchmarks.fuzzing_versions import TARGETS as VERSIONS

INSTALL = "pip install -c constraints.txt -c benchmarks/constraints.txt '.[fuzz]'"
INPUTS = 10_000
STUCK_SECONDS = 20
"""of an input in native code, which no signal interrupts"""
ADDRESSES = 8 * 1024**3
"""bytes of addresses that a process may have more than at its beginning: an end to what is not seen in time"""
PACKAGES = ("numpy", "pandas", "pyarrow", "protobuf", "pydantic", "promql-parser", "croniter", "orjson")
TARGETS: dict[str, Target] = {target.name: target for target in (*TEXTS, *BODIES, *TABLES, *BYTES, *VERSIONS)}


class Witness:
    """The input that a process works on, in memory that outlives it."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 16 + LARGEST)

    def note(self, number: int, data: bytes) -> None:
        """Note an input before it is parsed; the process ends where it takes too long."""
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        self._shared[:16] = number.to_bytes(8, "little") + len(data).to_bytes(8, "little")
        self._shared[16 : 16 + len(data)] = data

    def read(self) -> tuple[int, bytes]:
        """Return the last input."""
        size = int.from_bytes(self._shared[8:16], "little")
        return int.from_bytes(self._shared[:8], "little"), self._shared[16 : 16 + size]


def run_apart(target: Target, inputs: int) -> Outcome:
    """Feed a target in a process of its own; where an input ends it, another one goes on behind that."""
    total = Outcome()
    first = 0
    while first < inputs and len(total.crashes) < MOST_CRASHES:
        witness = Witness()
        receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_run_child, args=(target, inputs, first, witness, sender)
        )
        process.start()
        sender.close()
        try:
            outcome: Outcome | None = receiver.recv()
        except EOFError:
            outcome = None
        process.join()
        if outcome is not None:
            _add(total, outcome)
            break
        number, data = witness.read()
        total.inputs += number + 1 - first
        total.crashes.append(make_crash(number, f"the process ends with {process.exitcode}", data))
        first = number + 1
    return total


def _add(total: Outcome, outcome: Outcome) -> None:
    total.inputs += outcome.inputs
    total.accepted += outcome.accepted
    total.refused += outcome.refused
    total.slowest_ms = max(total.slowest_ms, outcome.slowest_ms)
    total.peak_mb = max(total.peak_mb, outcome.peak_mb)
    total.crashes += outcome.crashes


def _run_child(target: Target, inputs: int, first: int, witness: Witness, sender: Connection) -> None:
    with _silence(), open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESSES, size + ADDRESSES))
        sender.send(run_target(target, inputs, first, witness.note))
    os._exit(0)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what native code says of panics, and libraries of bad input, out of the table."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
        yield


def show(name: str, outcome: Outcome) -> None:
    """Print a row, and its crashes below."""
    row = (
        f"{outcome.inputs:9}{outcome.accepted:10}{outcome.refused:10}{outcome.slowest_ms:12.1f}{outcome.peak_mb:10.1f}"
    )
    print(f"{name:24}{row}{len(outcome.crashes):9}", flush=True)
    for crash in outcome.crashes:
        print(f"    {crash.number}: {crash.reason}\n    {crash.content}", flush=True)


def run_all(names: Sequence[str], inputs: int, seconds: float) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Run targets and print their rows; return them, those of the guided runs, and how many crashes there were."""
    print(f"{'parser':24}{'inputs':>9}{'accepted':>10}{'refused':>10}{'slowest ms':>12}{'peak MB':>10}{'crashes':>9}")
    rows = {}
    for name in names:
        outcome = run_apart(TARGETS[name], inputs)
        show(name, outcome)
        rows[name] = outcome.to_dict()
    guided = run_guided(names, seconds) if seconds else {}
    crashes = sum(len(row["crashes"]) for row in rows.values()) + sum(row["crashes"] for row in guided.values())
    return rows, guided, crashes


def main() -> None:
    """Run the benchmark and print its table and its line of JSON; the process fails where something crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each parser")
    parser.add_argument("--only", nargs="*", choices=TARGETS, metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--coverage-guided", type=float, default=0, metavar="SECONDS", help="of each binary parser")
    args = parser.parse_args()
    if args.coverage_guided and not is_installed():
        raise SystemExit(f"atheris is not installed; this brings it: {INSTALL}")
    rows, guided, crashes = run_all(args.only or list(TARGETS), args.inputs, args.coverage_guided)
    packages = {name: version(name) for name in PACKAGES}
    told = {"inputs": args.inputs, "crashes": crashes, "python": platform.python_version(), "packages": packages}
    print(json.dumps({**told, "rows": rows, "guided": guided}))
    raise SystemExit(1 if crashes else 0)


if __name__ == "__main__":
    main()
