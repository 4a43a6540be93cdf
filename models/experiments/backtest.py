"""Rolling-origin backtests: the forecasts that a configuration would have made for the last windows of every series.

Origins are positions counted from the end of each series, as in statsforecast's cross-validation: where series
end at different times, windows of one number do too. No context reaches past its origin, and no network was trained on
values after it. Shapes: B windows of all series together, H horizon, Q quantiles.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from models.arrays import Floats, Ints
from models.config.model import Config
from models.config.validation import require
from models.data.aggregation import aggregate_panel
from models.data.covariates import build_covariate_config
from models.data.off_clock import find_off_clock
from models.data.series import Panel, Series, observed_span
from models.errors import CheckpointError, TrainingDataError
from models.evaluation.baselines import BASELINES, forecast_baselines
from models.evaluation.replayed import widen_windows
from models.evaluation.scoring import Windows, cut_windows
from models.experiments.backtest_result import Backtest, group_rows
from models.planning.values import find_signs, is_whole
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.fitted import Fitted
from models.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class BacktestResume:
    """The state of an interrupted backtest, and the functions that save the state of this one."""

    finished: Mapping[int, Floats] = field(default_factory=dict)
    """number of a finished fit, from 0 -> quantiles (rows, H, Q) of its windows"""
    checkpoint: Checkpoint | None = None
    """checkpoint of the interrupted fit"""
    on_fit: Callable[[int, Floats], None] | None = None
    """called after each fit with its number and its quantiles (rows, H, Q)"""
    save_checkpoint: Callable[[Checkpoint], None] | None = None
    """called after each epoch, as in `fit`"""


def backtest(
    panel: Panel,
    config: Config,
    *,
    n_windows: int,
    step_size: int | None = None,
    horizon: int | None = None,
    refit: bool = False,
    baselines: Sequence[str] = ("season_naive",),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    resume: BacktestResume | None = None,
) -> Backtest:
    """Forecast the last `n_windows` windows of every series; a short series has fewer, or none.

    Args:
        step_size: steps between two origins; by default the horizon, so that windows do not overlap.
        horizon: steps that are measured, the first of the configuration's; by default all of them.
        refit: whether to train anew before each window, on the data up to its origin. Otherwise one model is trained,
            on each series up to its first origin, and forecasts every window.
        baselines: names of `models.evaluation.baselines`; season_naive is always among them.
        device: where to train, as in `fit`.
        on_progress: called as by `fit`; fraction and time left are those of all fits together, the rest is that of the
            running fit.
        resume: the state of an interrupted call with the same arguments.

    Vocabularies and floors of the configuration are those of the data before each training's last origin. Raises
    ConfigError for numbers below 1 and for unknown baselines, TrainingDataError where nothing can be forecast or
    trained on.
    """
    panel = aggregate_panel(panel, config.cleaning)[0]
    measured = config.horizon if horizon is None else horizon
    step = measured if step_size is None else step_size
    require(n_windows >= 1, "n_windows", "must be at least 1")
    require(1 <= measured <= config.horizon, "horizon", f"must be from 1 to the model's {config.horizon}")
    require(step >= 1, "step_size", "must be at least 1")
    unknown = set(baselines) - set(BASELINES)
    require(not unknown, "baselines", f"must be some of {', '.join(BASELINES)}")
    origins = {series.id: plan_origins(series, measured, n_windows, step) for series in panel.series}
    windows = cut_windows(panel, origins, measured)
    if not windows.series:
        raise TrainingDataError("too_short", "no series has a value before the horizon that ends with it")
    number = np.concatenate([np.arange(n_windows - len(listed), n_windows) + 1 for listed in origins.values()])
    runs = list(group_rows(number.tolist()).values()) if refit else [np.arange(len(number))]
    quantiles = _forecasts(panel, config, windows, runs, device, on_progress, resume or BacktestResume())
    names = dict.fromkeys(["season_naive", *baselines])
    return Backtest(
        windows=windows,
        number=number,
        quantiles=quantiles[:, :measured],
        baselines=forecast_baselines(windows, panel.frequency.season, list(names)),
        levels=config.quantiles,
    )


def _forecasts(
    panel: Panel,
    config: Config,
    windows: Windows,
    runs: Sequence[Ints],
    device: Literal["auto", "cpu", "cuda"],
    on_progress: Callable[[Progress], None] | None,
    state: BacktestResume,
) -> Floats:
    """Train once for the windows of each run, on the values before them; return quantiles (B, H, Q)."""
    started = time.monotonic()
    quantiles = np.empty((len(windows.series), config.horizon, len(config.quantiles)))
    checkpoint = state.checkpoint
    for run, rows in enumerate(runs):
        if run in state.finished:
            quantiles[rows] = state.finished[run]
            continue
        part = windows.part(rows)
        history = _cut_history(panel, part, config)
        fitted = _fit(
            history,
            _restrict_config(config, history),
            device=device,
            on_progress=_scale_progress(on_progress, run, len(runs), started) if on_progress else None,
            save_checkpoint=state.save_checkpoint,
            resume=checkpoint,
        )
        checkpoint = None
        quantiles[rows] = _forecast(fitted, part, history)
        if state.on_fit is not None:
            state.on_fit(run, quantiles[rows])
    return quantiles


def _forecast(fitted: Fitted, windows: Windows, history: Panel) -> Floats:
    """Forecast windows (B, H, Q) by what was trained on a history, with the intervals that would have been served."""
    return widen_windows(
        fitted.quantiles(windows.series, windows.origins),
        windows.series,
        windows.origins,
        fitted.runner,
        fitted.config,
        trained_until=max(int(item.stamps(len(item.y) - 1, len(item.y))[0]) for item in history.series),
        trained_on={item.id for item in history.series},
    )


def _fit(panel: Panel, config: Config, *, resume: Checkpoint | None, **options: Any) -> Fitted:
    """Fit from a checkpoint, unless it is that of another fit, which was finished in the meantime."""
    try:
        return fit(panel, config, resume=resume, **options)
    except CheckpointError:
        return fit(panel, config, **options)


def _restrict_config(config: Config, history: Panel) -> Config:
    """Return the configuration with the vocabularies and the signs of a history, not those of later data."""
    roles = config.covariates
    return replace(
        config,
        covariates=build_covariate_config(history, roles.known_future, roles.past, roles.static),
        off_clock=find_off_clock(history, config.network.season_lengths),
        whole=config.exact and is_whole(history),
        **(find_signs(history) if config.nonnegative else {}),
    )


def plan_origins(series: Series, horizon: int, n_windows: int, step_size: int) -> tuple[int, ...]:
    """Plan at most `n_windows` origins of a series, `step_size` apart, ascending.

    The last window ends with the last observed value; none begins before the first.
    """
    first, end = observed_span(series.y)
    last = end - horizon - 1
    return tuple(o for o in range(last - step_size * (n_windows - 1), last + 1, step_size) if o >= first)


def _cut_history(panel: Panel, windows: Windows, config: Config) -> Panel:
    """Cut each series of the windows at its first origin among them; known-future covariates reach over the horizon."""
    ends: dict[str, int] = {}
    for item, origin in zip(windows.series, windows.origins.tolist(), strict=True):
        ends[item.id] = min(origin + 1, ends.get(item.id, origin + 1))
    return Panel(panel.frequency, tuple(_cut_series(s, ends[s.id], config) for s in panel.series if s.id in ends))


def _cut_series(series: Series, end: int, config: Config) -> Series:
    """Cut a series before `end`, and its known-future covariates a horizon later."""
    last = {name: end if name in config.covariates.past else end + config.horizon for name in series.covariates}
    columns = {name: values[: last[name]] for name, values in series.covariates.items()}
    return replace(series, y=series.y[:end], covariates=columns)


def _scale_progress(
    report: Callable[[Progress], None], done: int, fits: int, started: float
) -> Callable[[Progress], None]:
    """Return a function that reports the progress of one fit as that of all `fits`, of which `done` are over."""

    def report_share(progress: Progress) -> None:
        fraction = (done + progress.fraction) / fits
        elapsed = time.monotonic() - started
        eta_s = elapsed * (1 - fraction) / fraction if fraction > 0 else None
        report(replace(progress, fraction=fraction, eta_s=eta_s))

    return report_share
