"""Pretraining, as a command: `python -m models.training.pretrain FOLDER --steps 7000 --hours 2`.

FOLDER keeps the checkpoint and the log; the same command goes on from there. With `--data` it also judges the network
on real series, by their training parts alone. `models.export.pretrained` publishes the averaged weights.
"""

import argparse
import time
from pathlib import Path

import torch

from models.network.pretrained.network import PretrainedConfig, PretrainedNetwork
from models.training.pretraining.judge import draw_unseen, judge, read_real
from models.training.pretraining.loop import CHECKPOINT, Pretraining, run
from models.training.pretraining.plan import PretrainingPlan
from models.training.synthetic.mixture import TRAINED


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoint and the log are kept")
    parser.add_argument("--weights", type=Path, help="safetensors file to begin with, where there is no checkpoint yet")
    parser.add_argument("--steps", type=int, required=True, help="of the optimiser, over all sessions")
    parser.add_argument("--hours", type=float, default=24.0, help="after which it stops, to go on another time")
    parser.add_argument("--minutes", type=float, default=3.0, help="between two lines of the log")
    parser.add_argument("--data", type=Path, help="folder of Parquet files to judge by")
    parser.add_argument("--threads", type=int, help="of the CPU; all by default")
    parser.add_argument("--width", type=int, default=PretrainedConfig().width, help="of the recurrent states")
    parser.add_argument(
        "--without", nargs="*", default=[], choices=[one.name for one in TRAINED], help="families that are left out"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def main() -> None:
    """Train, or go on training."""
    args = parse_arguments()
    until = time.monotonic() + args.hours * 3600
    if args.threads:
        torch.set_num_threads(args.threads)
    args.folder.mkdir(parents=True, exist_ok=True)
    plan = PretrainingPlan(steps=args.steps, network=PretrainedConfig(width=args.width), left_out=tuple(args.without))
    pretraining = Pretraining(plan, torch.device(args.device))
    if (args.folder / CHECKPOINT).is_file():
        pretraining.restore(args.folder)
        print(f"going on after {pretraining.step} steps", flush=True)
    elif args.weights:
        pretraining.begin_with(args.weights)
    judged = {"unseen": draw_unseen(pretraining.plan.seed), **(read_real(args.data) if args.data else {})}

    def tell_quality(network: PretrainedNetwork) -> dict[str, float]:
        return {
            f"{name} {measure}": value
            for name, windows in judged.items()
            for measure, value in zip(("MASE", "WQL"), judge(network, windows), strict=True)
        }

    run(pretraining, args.folder, until, lambda text: print(text, flush=True), tell_quality, 60 * args.minutes)


if __name__ == "__main__":
    main()
