"""Training speed: windows a second of ours, of a bare loop and of neuralforecast's LSTM, taken in turn.

python -m benchmarks.training [--repeats 5] [--steps 20] [--no-peer]

All of them read the same series with the same context, hidden size, layers and batch size:

- default: one network of the default kind, segments of the context read at once;
- stepwise: the articles' configuration, `nn.LSTM` over single steps and a linear layer on its last state;
- bare: that network written down in a loop, on tensors that were cut before;
- peer: neuralforecast's LSTM in its own environment, from the end of one step to the end of another.
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.accuracy import PEER_PYTHON
from benchmarks.accuracy_peer import PROGRAM, columns, write
from models.config.model import Config
from models.data.series import Panel
from models.planning.defaults import default_config_for_lengths
from models.planning.presets import ARTICLES_NETWORK, ARTICLES_TRAINING
from models.training.learner import Learner
from models.training.sampling import WindowPool, window_pool

Step = Callable[[], object]

SERIES, LENGTH = 32, 2000
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
RATE = 1e-3
WARM_STEPS = 3
CUT_BATCHES = 8


def example() -> Panel:
    """Return seeded hourly series with a daily season; their values have no part in the speed."""
    random, hours = np.random.default_rng(0), np.arange(LENGTH)
    day = 10 + np.sin(2 * np.pi * hours / 24)
    return Panel.from_arrays({f"s{k}": day + random.normal(0, 0.3, LENGTH) for k in range(SERIES)}, "h")


def configs(args: argparse.Namespace) -> dict[str, Config]:
    """Return the default and the stepwise configuration, both with one network of the same size."""
    same = {"context_length": args.context, "hidden": args.hidden, "layers": args.layers, "lookbacks": []}
    lengths, training = [LENGTH] * SERIES, {"batch_size": args.batch}
    return {
        "default": default_config_for_lengths("h", args.horizon, LEVELS, lengths, same, training),
        "stepwise": default_config_for_lengths(
            "h", args.horizon, LEVELS, lengths, {**ARTICLES_NETWORK, **same}, {**ARTICLES_TRAINING, **training}
        ),
    }


def pool_of(panel: Panel, config: Config, device: torch.device) -> WindowPool:
    """Return all windows of the panel."""
    pool = window_pool(panel.series, [LENGTH] * SERIES, config, device)
    assert pool is not None
    return pool


def ours(config: Config, panel: Panel, device: torch.device) -> Step:
    """Return a step of our training."""
    learner, pool = Learner(config, device), pool_of(panel, config, device)
    return lambda: learner.step(pool, RATE)


def bare(config: Config, panel: Panel, device: torch.device) -> Step:
    """Return a step of the plain loop: forward, backward, Adam, on windows that were cut and scaled before."""
    pool, generator = pool_of(panel, config, device), torch.Generator().manual_seed(0)
    drawn = [pool.draw(config.training.batch_size, generator) for _ in range(CUT_BATCHES)]
    batches = cycle([((b["y"].float() - 10)[..., None], b["target"].float() - 10) for b in drawn])
    shape = config.network
    lstm = nn.LSTM(1, shape.hidden, shape.layers, batch_first=True).to(device)
    linear = nn.Linear(shape.hidden, config.horizon).to(device)
    optimizer = torch.optim.Adam([*lstm.parameters(), *linear.parameters()], lr=RATE)

    def step() -> float:
        y, target = next(batches)
        loss = nn.functional.mse_loss(linear(lstm(y)[0][:, -1]), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


def timed(step: Step, steps: int) -> float:
    """Return the seconds of a step; each ends by reading its loss, so that a GPU has finished it."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def request(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the peer is asked: its own defaults but for the sizes that all contestants share."""
    sizes = {"encoder_hidden_size": args.hidden, "encoder_n_layers": args.layers}
    return {
        "horizon": args.horizon,
        "context": args.context,
        "levels": None,
        "model": "LSTM",
        "covariates": [],
        "padding": False,
        "steps": args.steps,
        "options": {**sizes, "windows_batch_size": args.batch, "batch_size": SERIES},
    }


@contextmanager
def peer(python: Path, panel: Panel, args: argparse.Namespace) -> Iterator[Callable[[], dict[str, Any]]]:
    """Start the peer and yield what times its steps once; it waits idle between two calls."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), request(args), {"train": columns(panel.series, [0] * SERIES, [LENGTH] * SERIES, ())})
        command = [str(python), "-W", "ignore", str(PROGRAM), name, "--rounds"]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, cwd=name, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as process:
            to, answers = process.stdin, process.stdout
            assert to is not None
            assert answers is not None

            def once() -> dict[str, Any]:
                print(file=to, flush=True)
                line = answers.readline()
                if not line:
                    raise SystemExit("the peer ended; run its command by hand to see why")
                found: dict[str, Any] = json.loads(line)
                return found

            yield once


def gpu_share(step: Step, steps: int) -> float:
    """Return the share of the time in which the GPU computes."""
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        torch.cuda.synchronize()
        seconds = steps * timed(step, steps)
    busy = sum(event.self_device_time_total for event in found.key_averages())  # microseconds
    return float(busy) / 1e6 / seconds


def measure(contestants: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Take the seconds of a step of each contestant in turn, again and again."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, once in contestants.items():
            taken[name].append(once())
    return taken


def report(taken: dict[str, list[float]], args: argparse.Namespace, about: dict[str, Any]) -> None:
    """Print a row a contestant, the ratios that the project wants of itself, and all of it as JSON."""
    speed = {name: args.batch / median(seconds) for name, seconds in taken.items()}
    sizes = f"context {args.context}, hidden {args.hidden}, layers {args.layers}, batch {args.batch}"
    print(f"{'loop':10} {'windows/s':>10} {'ms a step':>10}   ({sizes}; medians of {args.repeats})")
    for name, seconds in taken.items():
        print(f"{name:10} {speed[name]:10.0f} {1000 * median(seconds):10.1f}")
    wanted = [("default", "peer", 5.0), ("stepwise", "peer", 1.0), ("stepwise", "bare", 0.8)]
    ratios = {f"{a}/{b}": speed[a] / speed[b] for a, b, _ in wanted if b in speed}
    for a, b, least in wanted:
        if b in speed:
            print(f"{a} is {ratios[f'{a}/{b}']:.2f} times {b} (wanted: {least} at least)")
    print(json.dumps({"windows_per_second": speed, "seconds": taken, "ratios": ratios, **about}))


def arguments() -> argparse.Namespace:
    """Read the command line. Ends with status 2 where the peer's environment is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"repeats": 5, "steps": 20, "context": 168, "horizon": 24, "hidden": 128, "layers": 2, "batch": 128}
    for name, value in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"{value} by default")
    parser.add_argument("--no-peer", action="store_true", help="leave neuralforecast out")
    parser.add_argument("--peer-python", type=Path, default=PEER_PYTHON, help="interpreter of the peers' environment")
    args = parser.parse_args()
    if not args.no_peer and not args.peer_python.is_file():
        parser.error(f"no {args.peer_python}: 'make peers' installs the peer, --no-peer leaves it out")
    return args


def main() -> None:
    """Run the benchmark and print its table and its line of JSON."""
    args = arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    panel = example()
    chosen = configs(args)
    steps = {name: ours(config, panel, device) for name, config in chosen.items()}
    steps["bare"] = bare(chosen["stepwise"], panel, device)
    for step in steps.values():
        timed(step, WARM_STEPS)
    about = {
        "device": device.type,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }
    contestants: dict[str, Callable[[], float]] = {
        name: partial(timed, step, args.steps) for name, step in steps.items()
    }
    if args.no_peer:
        taken = measure(contestants, args.repeats)
    else:
        with peer(args.peer_python, panel, args) as once:
            about["peer"] = once()["packages"]
            taken = measure({**contestants, "peer": lambda: float(once()["step_seconds"])}, args.repeats)
    if device.type == "cuda":
        about["gpu_share"] = {name: gpu_share(step, args.steps) for name, step in steps.items()}
    report(taken, args, about)


if __name__ == "__main__":
    main()
