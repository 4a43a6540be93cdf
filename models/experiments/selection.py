"""The select phase of many configurations on one panel, and a loss by which they compare.

The loss of a network is the mean over the selection span's elements of twice the pinball loss (`training.loss`
mae, huber or mse, and wherever losses are compared: of the point forecast's absolute or squared error), in original
units divided by each series' own unit, its season error. It is measured before conformal correction, for all
configurations on the same windows in the same units, so that contexts and scalers compare; the training loss, in
units of each context's own scale, would not allow it. Nothing from the gate on is held here.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from models.arrays import Floats
from models.config.model import Config
from models.config.training import POINT_LOSSES
from models.data.preflight import trainable
from models.data.series import Panel
from models.data.splits import plan_spans
from models.data.windows import inputs_of
from models.errors import TrainingDataError
from models.evaluation import metrics
from models.evaluation.scoring import Windows, chosen_windows
from models.training.learner import SCORED_AT_ONCE, Arrays, Learner
from models.training.loop import TrainingHooks, train
from models.training.phase import SELECT, PhaseState
from models.training.sampling import TensorBatch, WindowPool, fixed_batch, split_batch, window_pool

LEAST_UNIT = 0.05
"""A season error below this share of the standard deviation counts as this much"""


class Selection:
    """Fit and selection spans of a panel."""

    def __init__(self, panel: Panel, config: Config, device: torch.device, compared_by: str | None = None) -> None:
        """Plan the spans; configurations are `compared_by` that loss, by default the configuration's own.

        Raises TrainingDataError where no series is long enough for both.
        """
        kept = trainable(panel)
        spans = plan_spans(kept, config)
        pairs = zip(kept.series, spans, strict=True)
        series = tuple(replace(one, y=one.y[: span.selection_end]) for one, span in pairs)
        self.panel, self.device = replace(kept, series=series), device
        self.fit_ends = [span.fit_end for span in spans]
        origins, most = [span.selection for span in spans], config.training.max_windows
        windows = chosen_windows(self.panel, origins, config.horizon, most)
        if windows is None:
            raise TrainingDataError(
                "too_short", "no series is long enough for a span to select by, so none to search on"
            )
        self.windows = windows
        self.compared_by = compared_by or config.training.loss

    def train(self, config: Config, stepped: Callable[[], None], epoch_end: Callable[[float], None]) -> None:
        """Train the select phase of a configuration with the panel's horizon, as `fit` does.

        Args:
            stepped: called after each optimiser step.
            epoch_end: called after each epoch with the loss of the weights kept so far.

        Both may raise to end the training. Raises TrainingDataError `diverged`.
        """
        pool = self._pool(config)
        batch = fixed_batch(self.windows.series, self.windows.origins, config, self.device)
        learner = Learner(config, self.device)
        learner.prepare(self.panel.series, self.fit_ends, pool, batch)
        kept = 0.0

        def judge(state: PhaseState, arrays: Arrays, best: Arrays) -> None:
            nonlocal kept
            if not state.stale:  # the best epoch so far, whose weights the learner still holds
                kept = measured(learner, batch, self.windows, self.compared_by)
            epoch_end(kept)

        state = PhaseState(SELECT, config.training.epochs * config.training.steps_per_epoch)
        train(learner, pool, batch, state, {}, TrainingHooks(on_step=lambda state, loss: stepped(), on_epoch=judge))

    def _pool(self, config: Config) -> WindowPool:
        pool = window_pool(self.panel.series, self.fit_ends, config, self.device)
        if pool is None:
            raise TrainingDataError("too_short", "no series has enough values before those to select by")
        return pool


def measured(learner: Learner, batch: TensorBatch, windows: Windows, loss: str) -> float:
    """Return the loss of the averaged network on windows, of which `batch` is the tensors.

    A series whose history has no season error is measured in its standard deviation; beside others, a constant
    one is left out. Raises TrainingDataError `diverged` for forecasts that are not finite.
    """
    learner.averaged.eval()
    parts = split_batch(batch, SCORED_AT_ONCE)
    with torch.no_grad():
        quantiles = torch.cat([learner.averaged(**inputs_of(part, learner.config)) for part in parts]).cpu().numpy()
    if not np.isfinite(quantiles).all():
        raise TrainingDataError("diverged", "the forecasts are not finite")
    spread = _spread(windows)
    unit = np.where(np.isnan(windows.scale), spread, np.maximum(windows.scale, LEAST_UNIT * spread))
    told = (~np.isnan(windows.actual) & (unit > 0)).any()
    unit = np.where(unit > 0, unit, np.nan) if told else np.ones_like(unit)
    actual, scaled = windows.actual / unit, quantiles / unit[..., None]
    levels = learner.config.quantiles
    if loss not in POINT_LOSSES:
        return 2 * metrics.pinball(actual, scaled, levels)
    return (metrics.mse if loss == "mse" else metrics.mae)(actual, scaled[..., levels.index(0.5)])


def _spread(windows: Windows) -> Floats:
    """Return the standard deviation of each window's series before its first window: (B, 1)."""
    ends: dict[str, int] = {}
    for one, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        ends[one.id] = min(origin + 1, ends.get(one.id, origin + 1))
    series = {one.id: one for one in windows.series}
    values = {name: series[name].y[:end][~np.isnan(series[name].y[:end])] for name, end in ends.items()}
    spread = {name: float(seen.std()) if len(seen) else 0.0 for name, seen in values.items()}
    return np.array([spread[one.id] for one in windows.series])[:, None]
