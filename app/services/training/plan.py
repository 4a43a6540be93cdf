"""What a training would be: every check of its request, the model's specification, its configuration and its cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, FieldError, Invalid
from app.scope import Scope
from app.services.jobs.documents import parse_roles
from app.services.registry.builtin import BUILTIN, refuse_reserved
from app.services.series.aggregation import count_read_steps
from app.services.training.checks import count_steps, find_frequency, require_trainable
from app.services.training.cleaning import resolve_cleaning
from app.services.training.request import TrainingRequest
from app.services.training.warm_start import resolve_warm_start
from app.storage import jobs, registry
from app.storage.tables import ModelRow, SeriesRow
from models.calendar.frequency import parse_frequency, share_dates
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.errors import ConfigError
from models.planning.cost import Cost, estimate_cost
from models.planning.defaults import DEFAULT_QUANTILES, default_config_for_lengths
from models.planning.search_space import build_axes, default_space
from models.planning.transfer import transfer_config_for_lengths


@dataclass(frozen=True)
class ModelSpecification:
    """What the first training of a model fixes."""

    freq: str
    horizon: int
    quantiles: list[float]


@dataclass(frozen=True)
class TrainingPlan:
    """A training that may be queued."""

    request: TrainingRequest
    """completed by the version that it starts from"""
    rows: list[SeriesRow]
    """the series as they are selected now"""
    model: ModelRow | None
    """None: the training makes it"""
    specification: ModelSpecification
    config: Config
    """like that of the training; the job chooses its own"""
    cost: Cost


def plan_training(
    session: Session, scope: Scope, request: TrainingRequest, settings: Settings, *, lock: bool
) -> TrainingPlan:
    """Check a request and plan its training; nothing is written. `lock` keeps other writers of its model out.

    Raises NotFound for series that do not exist, Conflict `model_spec_conflict` and `model_reserved`, and Invalid for
    options that cannot be, or series that cannot be trained on.
    """
    if request.horizon > settings.max_horizon:
        detail = f"the horizon must be at most {settings.max_horizon} steps"
        raise Invalid(ErrorCode.horizon_too_long, detail, errors=[FieldError("body.horizon", "too_long", detail)])
    model = registry.get(session, scope, request.model, lock=lock)
    if model is None and request.model == BUILTIN:
        raise refuse_reserved()
    resolved, source = resolve_warm_start(session, scope, request)
    rows = require_trainable(session, scope, resolved.series, resolved.covariates, settings.max_train_steps)
    cleaning = resolve_cleaning(resolved.cleaning, rows, inherited=request.cleaning is None)
    resolved = replace(resolved, cleaning=asdict(cleaning))
    specification = _specify(session, resolved, model, rows, cleaning)
    config = _choose_config(resolved, specification, rows, source, cleaning)
    return TrainingPlan(resolved, rows, model, specification, config, _estimate_cost(resolved, config, rows))


def _specify(
    session: Session,
    request: TrainingRequest,
    model: ModelRow | None,
    rows: Sequence[SeriesRow],
    cleaning: CleaningConfig,
) -> ModelSpecification:
    """Return the specification that the model gets. Raises Conflict where it has another one, which is fixed.

    Until a model has a version or an active job, its specification may still change.
    """
    freq = _choose_frequency(rows, None if model is None else model.freq, cleaning)
    assert freq is not None, "series of several frequencies are not trained on"
    levels = request.quantiles or (DEFAULT_QUANTILES if model is None else model.quantiles)
    new = ModelSpecification(freq, request.horizon, sorted({*levels, 0.5}))
    if model is not None and (model.last_version or jobs.count_active(session, model.pk)):
        _check_unchanged(model, new)
    return new


def _check_unchanged(model: ModelRow, new: ModelSpecification) -> None:
    specification: dict[str, tuple[object, object]] = {
        "frequency": (new.freq, model.freq),
        "horizon": (new.horizon, model.horizon),
        "quantiles": (new.quantiles, model.quantiles),
    }
    differ = {name: pair for name, pair in specification.items() if pair[0] != pair[1]}
    if not differ:
        return
    name, (requested, fixed) = next(iter(differ.items()))
    raise Conflict(
        ErrorCode.model_spec_conflict,
        f"the model {model.name!r} was first trained with {name} {fixed}, and {requested} was requested; "
        "train it under another name",
        errors=[FieldError(f"body.{n}", ErrorCode.model_spec_conflict, f"is {o}") for n, (_, o) in differ.items()],
    )


def _choose_frequency(rows: Sequence[SeriesRow], preferred: str | None, cleaning: CleaningConfig) -> str | None:
    """Return the frequency of the model: that of the series, or of their aggregates, as `preferred` spells it if it
    does."""
    if cleaning.aggregate is None:
        return find_frequency(rows, preferred)
    coarse = parse_frequency(cleaning.aggregate.freq)
    same = preferred is not None and share_dates(coarse, parse_frequency(preferred))
    return preferred if same else coarse.alias


def _estimate_cost(request: TrainingRequest, config: Config, rows: Sequence[SeriesRow]) -> Cost:
    """Estimate the size of the training: rows, windows, steps and bytes of memory."""
    temporal = sum(len(request.covariates.get(role, ())) for role in ("known_future", "past"))
    trials = request.search["trials"] if request.search is not None else 0
    lengths = [count_read_steps(row, count_steps(row), config.cleaning) for row in rows]
    return estimate_cost(config, lengths, temporal, trainings=1 + trials)


def _choose_config(
    request: TrainingRequest,
    model: ModelSpecification,
    rows: Sequence[SeriesRow],
    source: Config | None,
    cleaning: CleaningConfig,
) -> Config:
    """Choose a configuration like that of the training; the job chooses its own. Raises Invalid where none is valid."""
    frequency = parse_frequency(model.freq)
    lengths = [count_read_steps(row, count_steps(row), cleaning) for row in rows]
    try:
        if source is not None:
            config = transfer_config_for_lengths(
                source, frequency, lengths, model.horizon, bounds=request.bounds, training=request.training
            )
            return replace(config, cleaning=cleaning)
        config = default_config_for_lengths(
            frequency,
            model.horizon,
            tuple(model.quantiles),
            lengths,
            request.network,
            request.training,
            request.country,
        )
        if request.search is not None:
            space = request.search["space"]
            build_axes(config, default_space(config, max(lengths)) if space is None else space)
        roles = parse_roles(request.document())
        return replace(config, covariates=roles, bounds=request.bounds, cleaning=cleaning)
    except ConfigError as e:
        raise Invalid(
            ErrorCode.invalid_input,
            str(e),
            errors=[FieldError(f"body.{e.field}", ErrorCode.invalid_input, e.detail)],
        ) from e
