"""Whether a device learns what the CPU learns: the same small training on both, losses and forecasts compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gpu_learner import HORIZON, PreciseLearner, Sizes, default_config, example, pool_of
from models.config.model import Config
from models.data.series import Panel
from models.data.windows import inputs_of
from models.training.loop import learning_rate
from models.training.sampling import fixed_batch


@dataclass(frozen=True)
class Precision:
    """How exactly a device is asked to compute, and how far from the CPU it may end."""

    name: str
    mixed: bool
    tf32: bool
    """let cuDNN round the factors of its products to 10 bits, which is torch's default"""
    loss_allowed: float
    """largest difference of a step's loss, as a share of the mean loss"""
    forecast_allowed: float
    """largest difference of a forecast, in scales of its context"""
    reason: str


PRECISIONS = (
    Precision(
        "float32",
        mixed=False,
        tf32=False,
        loss_allowed=1e-4,
        forecast_allowed=1e-3,
        reason="sums are taken in another order: a millionth a step, which a training of some steps multiplies",
    ),
    Precision(
        "tf32",
        mixed=False,
        tf32=True,
        loss_allowed=1e-2,
        forecast_allowed=2e-2,
        reason="cuDNN rounds factors to 10 bits, a thousandth of each",
    ),
    Precision(
        "mixed",
        mixed=True,
        tf32=True,
        loss_allowed=2e-2,
        forecast_allowed=5e-2,
        reason="bfloat16 keeps 8 bits, 0.4 % of each product, and a training multiplies it",
    ),
)


@dataclass(frozen=True)
class TrainingParity:
    """One comparison with the CPU in float32."""

    precision: str
    steps: int
    first_loss_difference: float
    """before any step, as a share of that loss"""
    loss_difference: float
    """largest of any step, as a share of the mean loss"""
    loss_allowed: float
    forecast_difference: float
    """largest, in scales"""
    mean_forecast_difference: float
    forecast_allowed: float
    reason: str
    """of what is allowed"""

    @property
    def met(self) -> bool:
        """Whether losses and forecasts agree."""
        return self.loss_difference <= self.loss_allowed and self.forecast_difference <= self.forecast_allowed

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """Return the row of the table."""
        said = "met" if self.met else "MISSED"
        return (
            f"{self.precision:26} {self.loss_difference:10.1e} (<= {self.loss_allowed:.0e}) "
            f"{self.forecast_difference:10.1e} (<= {self.forecast_allowed:.0e})  {said}"
        )


@dataclass(frozen=True)
class Trained:
    """What a training leaves to compare."""

    losses: NDArray[np.float64]
    """(steps,)"""
    quantiles: NDArray[np.float64]
    """(B, H, Q) in scales, of the averaged network on the last windows of the series"""


@contextmanager
def tensor_floats(allowed: bool) -> Iterator[None]:
    """Let cuDNN round factors in the block, or keep it from that."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def head() -> str:
    """Return the head of the table."""
    return f"{'training against the CPU':26} {'losses, share of mean':>21} {'forecasts, in scales':>21}"


def compare_training(sizes: Sizes, device: torch.device) -> Iterator[TrainingParity]:
    """Train on the CPU in float32 once, then on the device in each precision."""
    panel = example(sizes)
    # dropout draws from another generator on each device; a small network is as good a witness as a large one
    config = default_config(sizes, {"hidden": 32, "dropout": 0.0, "lookbacks": [], "linear": True}, batch_size=64)
    reference = _train(panel, config, torch.device("cpu"), sizes.parity_steps, mixed=False)
    for precision in PRECISIONS:
        if precision.name == "tf32" and device.type != "cuda":
            continue
        with tensor_floats(precision.tf32):
            found = _train(panel, config, device, sizes.parity_steps, mixed=precision.mixed)
        losses, forecasts = np.abs(found.losses - reference.losses), np.abs(found.quantiles - reference.quantiles)
        yield TrainingParity(
            precision=precision.name,
            steps=sizes.parity_steps,
            first_loss_difference=float(losses[0] / reference.losses[0]),
            loss_difference=float(losses.max() / reference.losses.mean()),
            loss_allowed=precision.loss_allowed,
            forecast_difference=float(forecasts.max()),
            mean_forecast_difference=float(forecasts.mean()),
            forecast_allowed=precision.forecast_allowed,
            reason=precision.reason,
        )


def _train(panel: Panel, config: Config, device: torch.device, steps: int, *, mixed: bool) -> Trained:
    """Train by the project's own learner, on the same windows everywhere, and forecast the end of each series."""
    learner = PreciseLearner(config, device, mixed=mixed)
    pool = pool_of(panel, config, device, HORIZON)
    ends = [len(one.y) - HORIZON for one in panel.series]
    learner.prepare(panel.series, ends, pool, None)
    peak = config.training.learning_rate
    losses = [learner.step(pool, learning_rate(step, steps, peak)) for step in range(steps)]
    batch = fixed_batch(panel.series, np.array(ends) - 1, config, device)
    learner.averaged.eval()
    with torch.no_grad():
        _, quantiles = learner.averaged.forecast_scaled(**inputs_of(batch, config))
    return Trained(np.array(losses), quantiles.cpu().numpy())
