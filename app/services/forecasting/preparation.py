"""From what is known of series to what the network reads, and from its quantiles to results."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.errors import ErrorCode
from app.services.forecasting.inputs.context_cache import Context, Known
from app.services.forecasting.inputs.covariates import Values, made_ready
from app.services.forecasting.inputs.request import ForecastRequest, Steps
from app.services.forecasting.outputs.results import Failed, Levels, Result, by_floor, by_network, levels_of
from app.services.refusals import Refusal, refusal
from app.serving.batcher import Inputs, Quantiles
from models.config.model import Config
from models.data.windows import cut_covariates

Sent = Mapping[str, Mapping[str, Values]]
"""series id -> known-future covariate -> its values over the horizon"""
LATE = refusal(ErrorCode.deadline_exceeded, "its deadline had passed before the network could run")


class Prepared(NamedTuple):
    """Series of one request, some of which the network can forecast."""

    ids: Sequence[str]
    """(N,) in the order of the answer; one may stand there twice"""
    known: Known
    steps: Steps
    levels: Levels
    ready: list[Context]
    """(B,) that the network forecasts"""
    warnings: dict[str, list[str]]
    refused: dict[str, Refusal]
    """of those that it cannot"""
    floor: bool
    """whether season-naive answers for those"""
    late: bool
    """whether nobody waits for the network any more"""

    @property
    def inputs(self) -> Inputs | None:
        """What the network reads, (B, ...) each; None where it forecasts none of them."""
        return _inputs(self.ready, self.known.served.config) if self.ready else None

    def results(self, told: Quantiles | None) -> list[Result]:
        """Return a result for each of the ids, from what the network said of those that it forecast."""
        found: dict[str, Result] = {}
        refused, stale = dict(self.refused), self.known.stale
        if told is not None:
            for one, values in zip(self.ready, told.values, strict=True):
                name = one.series.id
                if told.finite or np.isfinite(values).all():
                    levels = self.levels.of(values)
                    found[name] = by_network(one, levels, self.steps, self.warnings.get(name, []), stale=stale)
                else:
                    refused[name] = refusal(ErrorCode.forecast_not_finite, "the network gave no finite forecast")
        for name, why in refused.items():
            found[name] = self._refused(name, why)
        return [found[i] if i in found else Failed(i, self.known.errors[i]) for i in self.ids]

    def _refused(self, name: str, why: Refusal) -> Result:
        if not self.floor:
            return Failed(name, why)
        config = self.known.served.config
        return by_floor(self.known.contexts[name], config, self.steps, why, stale=self.known.stale)


def prepare(
    request: ForecastRequest, ids: Sequence[str], known: Known, steps: Steps, future: Sent, *, late: bool = False
) -> Prepared:
    """Prepare some of a request's series, with what it says of their `future`.

    `late`: none of them goes to the network, since nobody waits for that any more.
    """
    config = known.served.config
    contexts = {i: known.contexts[i] for i in ids if i in known.contexts}
    ready, warnings, refused = list(contexts.values()), dict[str, list[str]](), dict[str, Refusal]()
    if late:
        ready, refused = [], dict.fromkeys(contexts, LATE)
    elif future or config.covariates.temporal or config.covariates.static:
        stored = {i: one.series for i, one in contexts.items()}
        made = made_ready(stored, future, request.covariate_fill, config, steps.horizon)
        ready = [replace(contexts[one.id], series=one) for one in made.series]
        warnings, refused = made.warnings, made.refused
    levels = levels_of(config.quantiles, steps.levels)
    return Prepared(ids, known, steps, levels, ready, warnings, refused, request.on_missing is not None, late)


def _inputs(ready: Sequence[Context], config: Config) -> Inputs:
    if len(ready) == 1:
        inputs = {"y": ready[0].y, "calendar": ready[0].moment.calendar}
    else:
        inputs = {
            "y": np.concatenate([one.y for one in ready]),
            "calendar": np.concatenate([one.moment.calendar for one in ready]),
        }
    roles = config.covariates
    if roles.temporal or roles.static:
        origins = np.array([len(one.series.y) - 1 for one in ready], np.int64)
        covariates, static = cut_covariates([one.series for one in ready], origins, config)
        inputs |= ({"covariates": covariates} if roles.temporal else {}) | ({"static": static} if roles.static else {})
    return inputs
