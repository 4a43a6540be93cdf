"""A version as the service publishes it, for benchmarks.gpu to serve: python -m benchmarks.gpu_model FOLDER

Writing its graph needs onnx and onnxscript, which a bare machine with a GPU lacks. So the version is written where the
project is installed, and travels beside the wheels.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.gpu_learner import FULL, Sizes, default_config, example, pool_of
from models.training.learner import Learner

STEPS = 10
"""of training: a fresh network's recurrence has no part in its forecasts"""


def write_version(folder: Path, sizes: Sizes) -> None:
    """Train a few steps of what the project chooses by default, and export it."""
    from models.export.export import export
    from models.training.fitted import Fitted
    from models.training.report import TrainingReport

    panel, config, cpu = example(sizes), default_config(sizes), torch.device("cpu")
    learner = Learner(config, cpu)
    pool = pool_of(panel, config, cpu)
    learner.prepare(panel.series, [sizes.length] * sizes.series, pool, None)
    losses = [learner.step(pool, config.training.learning_rate) for _ in range(STEPS)]
    report = TrainingReport(
        loss_curve={"train": losses},
        metrics={},
        selected_steps=STEPS,
        epochs_trained=1,
        gate=None,
        seconds=0.0,
        windows_per_second=0.0,
    )
    export(Fitted(config, learner.averaged, report), folder)


def main() -> None:
    """Write the version of a full run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where its files are put")
    write_version(parser.parse_args().folder, FULL)


if __name__ == "__main__":
    main()
