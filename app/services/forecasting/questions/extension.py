"""Steps beyond the trained horizon: a version goes on from its own paths.

A few paths of the trained horizon, the branches, are taken for what comes true, and forecast from. The mixture of those
forecasts is the forecast of the next steps; a path of each goes on its branch, and so on. The branches then are the
templates of longer paths. Shapes: M branches, H trained horizon, Q trained levels, B windows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode, invalid
from app.services.forecasting.inputs.context_cache import ResolvedSeries
from app.services.forecasting.inputs.loader import ContextLoader, keep_context
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.outputs.results import ForecastResult
from app.services.forecasting.pending import PendingRequest
from app.services.forecasting.preparation import build_inputs, find_widths, restore_quantiles
from app.services.forecasting.questions.futures import SeriesFuture, collect_templates, limit_values
from app.services.series.panels import spread
from app.serving.batcher import PIECE_ROWS, Batcher, Inputs
from models.arrays import Floats
from models.config.model import Config
from models.data.series import Series
from models.inference.means import compute_mean
from models.inference.paths import ErrorTemplates, PathSampler, build_quantile_weights, find_normal_scores

MOST_BRANCHES, LEAST_BRANCHES = 64, 16
PARTS = 32
"""values that stand for each branch's forecast of a step in the mixture"""
SERIES_AT_ONCE = 16
"""series whose branches are in memory"""


@dataclass(frozen=True)
class Extender:
    """Takes forecasts of the trained horizon further."""

    batcher: Batcher[PendingRequest]
    loader: ContextLoader
    most_windows: int
    """windows of one request, of a usual version"""

    def count_branches(self, version: ServedVersion, series_count: int, horizon: int, scenario_count: int) -> int:
        """Return how many branches each of some series has for a horizon. Raises Invalid where they are too few."""
        config = version.config
        turns = -(-horizon // config.horizon) - 1
        windows = self.most_windows // version.replay_cost // (1 + scenario_count)
        branches = windows // max(1, turns * series_count)
        if branches < LEAST_BRANCHES:
            most = max(1, windows // (turns * LEAST_BRANCHES))
            detail = (
                f"{horizon} steps, where {config.horizon} were trained, are forecast of at most {most} series at once, "
                f"and {series_count} were asked for; ask for fewer series or steps, or train a model for that horizon"
            )
            raise invalid("extrapolate", ErrorCode.too_many_series, detail)
        return min(MOST_BRANCHES, branches)

    def extend(
        self,
        resolved: ResolvedSeries,
        futures: Sequence[SeriesFuture],
        horizon: int,
        branches: int,
        *,
        seed: int,
        is_mean: bool,
    ) -> list[SeriesFuture]:
        """Return futures of the trained horizon taken to a longer one; their first steps stay what they are.

        `is_mean`: their point is the mean. Those whose branches have no finite forecast are left out.
        """
        extended: list[SeriesFuture] = []
        sampler = _Draws(collect_templates(futures), branches, resolved.version.config, seed)
        for start in range(0, len(futures), SERIES_AT_ONCE):
            some = futures[start : start + SERIES_AT_ONCE]
            extended += self._extend_some(resolved, some, horizon, sampler, is_mean=is_mean)
        return extended

    def _extend_some(
        self, resolved: ResolvedSeries, futures: Sequence[SeriesFuture], horizon: int, draws: "_Draws", *, is_mean: bool
    ) -> list[SeriesFuture]:
        config = resolved.version.config
        trunks = [_Trunk.begin(one, draws.draw_first(one)) for one in futures]
        turn = 0
        while trunks[0].branches.shape[1] < horizon:
            turn += 1
            values = self._run(resolved, trunks)  # (N, M, Q, H)
            for trunk, forecasts in zip(trunks, values, strict=True):
                trunk.go_on(forecasts, draws.draw_levels(trunk.future.series_id, turn), config, is_mean=is_mean)
        return [trunk.finish(horizon) for trunk in trunks if trunk.is_finite]

    def _run(self, resolved: ResolvedSeries, trunks: Sequence["_Trunk"]) -> list[Floats]:
        """Forecast each branch of some series from its end: (M, Q, H) of each."""
        version = resolved.version
        windows = [(trunk, one) for trunk in trunks for one in trunk.list_series(version.config)]
        contexts = self.loader.build_contexts(version, [one for _, one in windows], {})

        def list_pieces() -> Iterator[Inputs]:
            for start in range(0, len(contexts), PIECE_ROWS):
                yield build_inputs(contexts[start : start + PIECE_ROWS], version.config)

        values = [piece.values for piece in self.batcher.run(resolved.loaded, list_pieces()) if piece is not None]
        rows = np.concatenate(values)  # (B, Q, H)
        restored = [
            restore_quantiles(context, row, find_widths(resolved, trunk.future.context))
            for row, context, (trunk, _) in zip(rows, contexts, windows, strict=True)
        ]
        return np.split(np.stack(restored), len(trunks))


@dataclass
class _Trunk:
    """A series on its way: what is forecast of it so far, and its branches."""

    future: SeriesFuture
    completed: Series
    """with known-future covariates over the whole horizon"""
    branches: Floats
    """(M, steps so far)"""
    quantiles: list[Floats]
    """(Q, H) of each horizon so far"""
    points: list[Floats]
    """(H,) of each"""
    is_finite: bool = True
    """whether some branch has a finite forecast"""

    @staticmethod
    def begin(future: SeriesFuture, branches: Floats) -> "_Trunk":
        """Return a series with the paths (M, H) of its first steps."""
        return _Trunk(future, future.context.series, branches, [future.quantiles], [future.point])

    def list_series(self, config: Config) -> list[Series]:
        """Return the series as it is at the end of each branch."""
        one = self.completed
        steps = self.branches.shape[1]
        columns = dict(one.covariates)
        for name in config.covariates.past:  # unknown for further steps
            values = columns.get(name)
            if values is not None:
                columns[name] = spread(np.arange(len(values)), values, len(values) + steps)
        grown = [replace(one, y=np.concatenate([one.y, path]), covariates=columns) for path in self.branches]
        return [keep_context(series, config) for series in grown]

    def go_on(self, forecasts: Floats, levels: "_Levels", config: Config, *, is_mean: bool) -> None:
        """Take the forecast (M, Q, H) of each branch for its next steps; for one that is not finite another's."""
        finite = np.asarray(np.isfinite(forecasts).all(axis=(1, 2)))  # (M,)
        self.is_finite &= bool(finite.any())
        if not finite.all():
            forecasts = _replace_rows(forecasts, finite)
        bounds = self.future.find_bounds(config)
        parts = build_quantile_weights(config.quantiles, PARTS) @ forecasts  # (M, PARTS, H)
        pooled = np.clip(parts, *bounds).reshape(-1, parts.shape[-1])
        mixture = limit_values(np.quantile(pooled, config.quantiles, axis=0), forecasts, bounds, config)  # (Q, H)
        self.quantiles.append(mixture)
        self.points.append(compute_mean(mixture, config.quantiles) if is_mean else mixture[config.median])
        paths = np.einsum("mhq,mqh->mh", levels, forecasts)
        self.branches = np.concatenate([self.branches, limit_values(paths, forecasts, bounds, config)], axis=1)

    def finish(self, horizon: int) -> SeriesFuture:
        """Return the future over the longer horizon."""
        quantiles = np.concatenate(self.quantiles, axis=1)[:, :horizon]
        point = np.concatenate(self.points)[:horizon]
        result: ForecastResult = replace(self.future.result, horizon=horizon, yhat=point, quantiles=list(quantiles))
        count = np.arange(len(self.branches))
        return replace(self.future, result=result, templates=ErrorTemplates(count, find_normal_scores(self.branches)))


_Levels = Floats
"""(M, H, Q) the weights by which each branch's quantiles of a step give its next value"""


class _Draws:
    """The draws of all series of a request, together at each turn."""

    def __init__(self, templates: Mapping[str, ErrorTemplates], branches: int, config: Config, seed: int) -> None:
        self._templates = templates
        self._branches = branches
        self._config = config
        self._seed = seed
        self._samplers: dict[int, PathSampler] = {}

    def draw_first(self, future: SeriesFuture) -> Floats:
        """Draw the branches (M, H) of the trained horizon."""
        return future.draw(self._get(0), self._config)

    def draw_levels(self, series_id: str, turn: int) -> _Levels:
        """Draw where each branch goes on among the quantiles of its next steps."""
        order = self._get(turn).draw_order(series_id)  # (M, H)
        return build_quantile_weights(self._config.quantiles, self._branches)[order]

    def _get(self, turn: int) -> PathSampler:
        sampler = self._samplers.get(turn)
        if sampler is None:
            sampler = PathSampler(self._templates, self._branches, self._config.horizon, self._seed + turn)
            self._samplers[turn] = sampler
        return sampler


def _replace_rows(forecasts: Floats, finite: NDArray[np.bool_]) -> Floats:
    """Return forecasts (M, Q, H) of which those that are not finite are copies of others; zeros where none is."""
    usable = np.flatnonzero(finite)
    if not len(usable):
        return np.zeros_like(forecasts)
    rows = np.arange(len(forecasts))
    rows[~finite] = np.resize(usable, int((~finite).sum()))
    return forecasts[rows]
