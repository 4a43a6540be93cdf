"""What long contexts cost: seconds of a training step and peak memory by context length.

python -m benchmarks.contexts [--contexts 1250 2500 5000 10000] [--batch 16] [--steps 5]

Each context is measured in a process of its own: the default network over segments, the same with attention, and a bare
stepwise recurrence. Linear growth doubles the time with the context.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import time
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
import torch

from models.data.series import Panel
from models.planning.defaults import default_config_for_lengths
from models.training.learner import Learner
from models.training.sampling import window_pool

HORIZON, SEGMENT, HIDDEN = 24, 50, 64
LEVELS = (0.1, 0.5, 0.9)
RATE = 1e-3
KINDS: dict[str, dict[str, Any]] = {
    "segments": {"segment": SEGMENT},
    "stepwise": {"segment": 1, "basis": False},
    "attention": {"segment": SEGMENT, "attention": 4},
}


def measure(kind: str, context: int, batch: int, steps: int) -> dict[str, float]:
    """Return the median seconds of a step and the peak of this process's memory in MiB."""
    torch.set_num_threads(1)
    length = context + 2000
    y = 10 + np.sin(2 * np.pi * np.arange(length) / 24) + np.random.default_rng(0).normal(0, 0.3, length)
    panel = Panel.from_arrays({"a": y, "b": y[::-1].copy()}, "h")
    network = {"context_length": context, "hidden": HIDDEN, "lookbacks": [], **KINDS[kind]}
    config = default_config_for_lengths("h", HORIZON, LEVELS, [length] * 2, network, {"batch_size": batch})
    learner = Learner(config, torch.device("cpu"))
    pool = window_pool(panel.series, [length] * 2, config, torch.device("cpu"))
    assert pool is not None
    taken = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        learner.step(pool, RATE)
        taken.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": median(taken[1:]), "peak_mib": peak}


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, nargs="+", default=[1250, 2500, 5000, 10_000], help="steps")
    parser.add_argument("--batch", type=int, default=16, help="windows in a step")
    parser.add_argument("--steps", type=int, default=5, help="steps that are timed")
    args = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    print(f"{'network':10} {'context':>8} {'ms a step':>10} {'us a value':>11} {'peak MiB':>9}")
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for context in args.contexts:
            with fresh.Pool(1) as pool:
                found = pool.apply(measure, (kind, context, args.batch, args.steps))
            rows.append({"network": kind, "context": context, **found})
            each = 1e6 * found["seconds"] / (context * args.batch)
            milliseconds = 1000 * found["seconds"]
            print(f"{kind:10} {context:8} {milliseconds:10.0f} {each:11.2f} {found['peak_mib']:9.0f}", flush=True)
    packages = {name: version(name) for name in ("numpy", "torch")}
    print(json.dumps({"batch": args.batch, "python": platform.python_version(), "packages": packages, "rows": rows}))


if __name__ == "__main__":
    main()
