"""What answers for a model that has no champion, where the request takes a floor."""

from contextlib import suppress
from dataclasses import replace

from sqlalchemy.orm import Session

from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion, StoredVersion
from app.services.jobs.documents import parse_bounds, parse_cleaning
from app.storage import jobs, registry
from app.storage.tables import ModelRow, VersionRow
from models.config.cleaning import CleaningConfig
from models.config.covariates import CovariateConfig
from models.config.model import Config
from models.errors import ConfigError
from models.evaluation.floors import choose_best
from models.planning.defaults import default_config_for_lengths

AMPLE = 10_000
"""steps of a history that leaves room for the longest default context"""


def build_floor_version(session: Session, model: ModelRow) -> ServedVersion:
    """Return a version without a number or a network, of the model's specification.

    Bounds, cleaning and the best floor are those of the newest version, which was judged beside the floors; where there
    is none yet, those of the newest training. Floors read no covariates.
    """
    row = registry.get_serving_version(session, model)
    stored = StoredVersion(
        model_pk=model.pk,
        model_name=model.name,
        model_created_at=model.created_at,
        frequency=model.freq,
        trained=ForecastShape(model.horizon, tuple(model.quantiles)),
        pk=row.pk if row is not None else 0,
        number=None,
        revision=None,
        revision_pk=None,
        created_at=row.created_at if row is not None else 0,
        digest=row.digest if row is not None else "",
        artifact="",
        floor=choose_best(row.metrics if row is not None else {}),
    )
    return ServedVersion(stored, _choose_config(session, model, row), pin=None)


def _choose_config(session: Session, model: ModelRow, row: VersionRow | None) -> Config:
    if row is not None:
        with suppress(ConfigError):  # of another release
            return replace(Config.from_dict(row.config), covariates=CovariateConfig())
    training = jobs.find_newest(session, model.pk, "train")
    bounds = parse_bounds(training.request) if training is not None else (None, None)
    cleaning = parse_cleaning(training.request) if training is not None else CleaningConfig()
    try:
        config = _plan(model, AMPLE)
    except ConfigError:  # centuries: the horizon leaves no room for more than a few steps of context
        config = _plan(model, 1)
    return replace(config, bounds=bounds, nonnegative=True, cleaning=cleaning)


def _plan(model: ModelRow, length: int) -> Config:
    return default_config_for_lengths(model.freq, model.horizon, tuple(model.quantiles), [length])
