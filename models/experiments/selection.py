"""The select phase of many configurations on one panel, and a loss by which they compare.

The loss of a network is the mean over the elements of the selection span of twice the pinball loss. For the losses
mae, huber and mse, and wherever networks of several training losses are compared, it is that of the point forecast's
absolute or squared error. Errors are in original units divided by the unit of each series, its season error. The loss
is measured before conformal correction, for all configurations on the same windows in the same units, so that contexts
and scalers compare; the training loss, in units of each context's scale, would not allow it. Nothing from the gate
span on is kept here. Shapes: B windows.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from models.arrays import Floats
from models.config.model import Config
from models.config.training import POINT_LOSSES
from models.data.aggregation import select_for_training
from models.data.preflight import select_trainable
from models.data.series import Panel
from models.data.splits import plan_spans
from models.data.windows import inputs_of, mark_signed
from models.errors import TrainingDataError
from models.evaluation import metrics
from models.evaluation.scoring import Windows, choose_windows
from models.training.learner import SCORED_AT_ONCE, Arrays, Learner
from models.training.loop import TrainingHooks, train
from models.training.phase import SELECT, PhaseState
from models.training.sampling import TensorBatch, WindowPool, fixed_batch, split_batch, window_pool

LEAST_UNIT = 0.05
"""least season error as a share of the standard deviation"""


class SelectPhase:
    """The fit and selection spans of a panel, on which configurations are trained and compared."""

    def __init__(self, panel: Panel, config: Config, device: torch.device, compared_by: str | None = None) -> None:
        """Plan the spans; networks are compared by the loss `compared_by`, by default that of the configuration.

        Raises TrainingDataError where no series is long enough for both.
        """
        kept = select_trainable(select_for_training(panel, config.cleaning)[0])
        spans = plan_spans(kept, config)
        pairs = zip(kept.series, spans, strict=True)
        series = tuple(replace(item, y=item.y[: span.selection_end]) for item, span in pairs)
        self.panel = replace(kept, series=series)
        self.device = device
        self.fit_ends = [span.fit_end for span in spans]
        origins = [span.selection for span in spans]
        windows = choose_windows(self.panel, origins, config.horizon, config.training.max_windows)
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
            epoch_end: called after each epoch with the loss of the best weights so far.

        Both may raise to end the training. Raises TrainingDataError `diverged`.
        """
        pool = self._pool(config)
        batch = fixed_batch(self.windows.series, self.windows.origins, config, self.device)
        learner = Learner(config, self.device)
        learner.prepare(self.panel.series, self.fit_ends, pool, batch)
        best_loss = 0.0

        def judge(state: PhaseState, arrays: Arrays, best: Arrays) -> None:
            nonlocal best_loss
            if not state.stale:  # the best epoch so far, whose weights the learner still holds
                best_loss = measure_loss(learner, batch, self.windows, self.compared_by)
            epoch_end(best_loss)

        state = PhaseState(SELECT, config.training.epochs * config.training.steps_per_epoch)
        train(learner, pool, batch, state, {}, TrainingHooks(on_step=lambda state, loss: stepped(), on_epoch=judge))

    def _pool(self, config: Config) -> WindowPool:
        pool = window_pool(self.panel.series, self.fit_ends, config, self.device)
        if pool is None:
            raise TrainingDataError("too_short", "no series has enough values before those to select by")
        return pool


def measure_loss(learner: Learner, batch: TensorBatch, windows: Windows, loss: str) -> float:
    """Compute the loss of the averaged network on windows, whose tensors are `batch`.

    A series whose history has no season error is measured in units of its standard deviation. A constant one is left
    out, unless all are. Raises TrainingDataError `diverged` for forecasts that are not finite.
    """
    learner.averaged.eval()
    config = learner.config
    signed = torch.from_numpy(mark_signed(windows.series, config)).to(learner.device)
    parts = zip(split_batch(batch, SCORED_AT_ONCE), torch.split(signed, SCORED_AT_ONCE), strict=True)
    with torch.no_grad():
        forecasts = [learner.averaged(**inputs_of(part, config), signed=marks) for part, marks in parts]
    quantiles = torch.cat(forecasts).cpu().numpy()
    if not np.isfinite(quantiles).all():
        raise TrainingDataError("diverged", "the forecasts are not finite")
    unit = _find_units(windows)
    actual = windows.actual / unit
    scaled = quantiles / unit[..., None]
    if loss not in POINT_LOSSES:
        return 2 * metrics.pinball(actual, scaled, learner.config.quantiles)
    point = scaled[..., learner.config.median]
    return metrics.mse(actual, point) if loss == "mse" else metrics.mae(actual, point)


def _find_units(windows: Windows) -> Floats:
    """Find the unit of each window's loss: (B, 1), NaN for a constant series unless all are constant."""
    spread = windows.spread
    unit = np.where(np.isnan(windows.scale), spread, np.maximum(windows.scale, LEAST_UNIT * spread))
    measurable = (~np.isnan(windows.actual) & (unit > 0)).any()
    return np.where(unit > 0, unit, np.nan) if measurable else np.ones_like(unit)
