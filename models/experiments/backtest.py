"""Rolling-origin backtests: how a configuration would have done on the last windows of every series.

Origins are positions counted from the end of each series, as in statsforecast's cross-validation: where series
end at different times, one window of them does too. No forecast sees anything of its series past its origin, and
no network was trained on it. Shapes: B windows of all series together, H horizon, Q quantiles.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from models.arrays import Floats, Ints
from models.config.model import Config
from models.config.validation import require
from models.data.covariates import covariate_config
from models.data.series import Panel, Series, observed_span
from models.errors import CheckpointError, TrainingDataError
from models.evaluation.references import REFERENCES, reference_points
from models.evaluation.scoring import Windows, cut_windows, scoring_season
from models.experiments.backtest_result import Backtest, groups
from models.planning.defaults import never_negative
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.fitted import Fitted
from models.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """What an interrupted backtest has left, and who keeps what this one leaves."""

    done: Mapping[int, Floats] = field(default_factory=dict)
    """quantiles (rows, H, Q) of each fit that is over, by its number from 0"""
    resume: Checkpoint | None = None
    """of the fit that was interrupted"""
    fitted: Callable[[int, Floats], None] = lambda number, quantiles: None
    """called with each fit that is over"""
    save_checkpoint: Callable[[Checkpoint], None] | None = None


def backtest(
    panel: Panel,
    config: Config,
    *,
    n_windows: int,
    step_size: int | None = None,
    horizon: int | None = None,
    refit: bool = False,
    references: Sequence[str] = ("season_naive",),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    unfinished: Unfinished | None = None,
) -> Backtest:
    """Forecast the last `n_windows` windows of every series; a short series has fewer, or none.

    Args:
        step_size: steps between two origins; by default the horizon, so that windows do not overlap.
        horizon: steps that are judged, the first of the configuration's; by default all of them.
        refit: train anew before each window, on the data up to its origin. Otherwise one model is trained, on each
            series up to its first origin, and forecasts every window.
        references: names of `models.evaluation.references`; season_naive is always among them.
        device: where to train, as in `fit`.
        on_progress: called as `fit` does; fraction and time left are those of all fits together, the rest is that of
            the fit that runs.
        unfinished: what an earlier call with the same arguments has left.

    Vocabularies and floors of the configuration are those of the data before each training's last origin. Raises
    ConfigError for numbers below 1 and references that do not exist, TrainingDataError where nothing can be forecast
    or trained on.
    """
    judged = config.horizon if horizon is None else horizon
    step = judged if step_size is None else step_size
    require(n_windows >= 1, "n_windows", "must be at least 1")
    require(1 <= judged <= config.horizon, "horizon", f"must be from 1 to the model's {config.horizon}")
    require(step >= 1, "step_size", "must be at least 1")
    unknown = set(references) - set(REFERENCES)
    require(not unknown, "references", f"must be some of {', '.join(REFERENCES)}")
    positions = {one.id: rolling_origins(one, judged, n_windows, step) for one in panel.series}
    windows = cut_windows(panel, positions, judged)
    if not windows.series:
        raise TrainingDataError("too_short", "no series has a value before the horizon that ends with it")
    number = np.concatenate([np.arange(n_windows - len(found), n_windows) + 1 for found in positions.values()])
    runs = list(groups(number.tolist()).values()) if refit else [np.arange(len(number))]
    quantiles = _forecasts(panel, config, windows, runs, device, on_progress, unfinished or Unfinished())
    season, names = scoring_season(panel), dict.fromkeys(["season_naive", *references])
    return Backtest(
        windows=windows,
        number=number,
        quantiles=quantiles[:, :judged],
        references=reference_points(windows, season, list(names)),
        levels=config.quantiles,
    )


def _forecasts(
    panel: Panel,
    config: Config,
    windows: Windows,
    runs: Sequence[Ints],
    device: Literal["auto", "cpu", "cuda"],
    on_progress: Callable[[Progress], None] | None,
    unfinished: Unfinished,
) -> Floats:
    """Train once for the windows of each run, on what lies before them; return quantiles (B, H, Q)."""
    started = time.monotonic()
    quantiles = np.empty((len(windows.series), config.horizon, len(config.quantiles)))
    resume = unfinished.resume
    for done, rows in enumerate(runs):
        if done in unfinished.done:
            quantiles[rows] = unfinished.done[done]
            continue
        part = windows.part(rows)
        seen = _before(panel, part, config)
        told = _share(on_progress, done, len(runs), started) if on_progress else None
        save, own = unfinished.save_checkpoint, _known(config, seen)
        fitted = _fit(seen, own, device=device, on_progress=told, save_checkpoint=save, resume=resume)
        resume = None
        quantiles[rows] = fitted.quantiles(part.series, part.origins)
        unfinished.fitted(done, quantiles[rows])
    return quantiles


def _fit(panel: Panel, config: Config, *, resume: Checkpoint | None, **options: Any) -> Fitted:
    """Fit from a checkpoint, unless it is that of another fit: one that was over in the meantime."""
    try:
        return fit(panel, config, resume=resume, **options)
    except CheckpointError:
        return fit(panel, config, **options)


def _known(config: Config, seen: Panel) -> Config:
    """Return a configuration that knows of no more than what the panel holds."""
    roles = config.covariates
    return replace(
        config,
        covariates=covariate_config(seen, roles.known_future, roles.past, roles.static),
        nonnegative=config.nonnegative and never_negative(seen),
    )


def rolling_origins(series: Series, horizon: int, n_windows: int, step_size: int) -> tuple[int, ...]:
    """Return at most `n_windows` origins, `step_size` apart, ascending.

    The last window ends with the last observed value; none begins before the first.
    """
    first, end = observed_span(series.y)
    last = end - horizon - 1
    return tuple(o for o in range(last - step_size * (n_windows - 1), last + 1, step_size) if o >= first)


def _before(panel: Panel, windows: Windows, config: Config) -> Panel:
    """Return each series of the windows up to its first origin among them; known-future covariates reach on over the
    horizon."""
    ends: dict[str, int] = {}
    for one, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        ends[one.id] = min(origin + 1, ends.get(one.id, origin + 1))

    def cut(one: Series) -> Series:
        end = ends[one.id]
        past, ahead = config.covariates.past, end + config.horizon
        columns = {name: values[: end if name in past else ahead] for name, values in one.covariates.items()}
        return replace(one, y=one.y[:end], covariates=columns)

    return Panel(panel.frequency, tuple(cut(one) for one in panel.series if one.id in ends))


def _share(tell: Callable[[Progress], None], done: int, fits: int, started: float) -> Callable[[Progress], None]:
    """Return what tells the progress of one fit as that of all `fits`, of which `done` are over."""

    def share(one: Progress) -> None:
        fraction = (done + one.fraction) / fits
        elapsed = time.monotonic() - started
        tell(replace(one, fraction=fraction, eta_s=elapsed * (1 - fraction) / fraction if fraction > 0 else None))

    return share
