"""Which series a network can forecast, with what is known of their horizon."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import ErrorCode
from app.services.forecasting.inputs.contexts import Refusal, refusal
from app.services.forecasting.inputs.covariates import Fill, Values, complete, has_unknown_level, static_conflict
from models.config.model import Config
from models.data.windows import Series


@dataclass(frozen=True)
class Ready:
    """What the network can forecast, and why it cannot the rest."""

    series: list[Series] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)


def made_ready(
    series: Mapping[str, Series],
    future: Mapping[str, Mapping[str, Values]],
    fill: Fill | None,
    config: Config,
    horizon: int,
) -> Ready:
    """Complete series with the covariates that are sent for their `future`, and those that are made up."""
    found = Ready()
    for one in series.values():
        completed = complete(one, future.get(one.id, {}), fill, config, horizon)
        error = _unreadable(one, config, completed.missing)
        if error is None:
            found.series.append(completed.series)
            found.warnings[one.id] = _warnings(completed.series, config, filled=completed.filled)
        else:
            found.refused[one.id] = error
    return found


def _unreadable(one: Series, config: Config, missing: str | None) -> Refusal | None:
    """Return why the network cannot forecast a series."""
    conflict = static_conflict(one, config.covariates)
    if conflict is not None:
        return refusal(ErrorCode.covariate_kind_conflict, f"{conflict}; PUT /series/{{id}} mends it")
    if missing is not None:
        detail = f"{missing}; upload it, send it as `future`, or say covariate_fill"
        return refusal(ErrorCode.missing_future_covariates, detail)
    return None


def _warnings(one: Series, config: Config, *, filled: bool) -> list[str]:
    unknown = has_unknown_level(one, config.covariates)
    return (["unknown_category"] if unknown else []) + (["covariates_filled"] if filled else [])
