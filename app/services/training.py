"""Asking for a training: what is asked is checked, fixed and queued in one transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, FieldError, Invalid
from app.jobs.queue import JobQueue
from app.services import jobs as job_views
from app.services.once import Answer, Idempotency, answer_once
from app.services.training_checks import steps, trainable
from app.services.training_request import TrainingRequest, roles_of
from app.services.warm_start import started
from app.storage import jobs, models
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import ModelRow, SeriesRow
from models.calendar import parse_frequency
from models.config import Config, ConfigError
from models.defaults import DEFAULT_QUANTILES, choose
from models.search_space import axes_of, default_space
from models.transfer import transferred


class TrainingService:
    """What POST /train means."""

    def __init__(self, database: Database, queue: JobQueue, settings: Settings) -> None:
        self._database, self._queue, self._settings = database, queue, settings

    def submit(self, scope: Scope, request: TrainingRequest, key: Idempotency | None) -> Answer:
        """Queue a training. The job and its place in the queue commit together.

        Raises NotFound for series that do not exist, Conflict `model_spec_conflict`, and Invalid for options that
        cannot be, or series that cannot be trained on.
        """
        if request.horizon > self._settings.max_horizon:
            detail = f"the horizon must be at most {self._settings.max_horizon} steps"
            raise Invalid(ErrorCode.horizon_too_long, detail, errors=[FieldError("body.horizon", "too_long", detail)])

        def make(session: Session) -> Answer:
            asked, source = started(session, scope, request)
            rows = trainable(session, scope, asked, self._settings.max_train_steps)
            model = _model(session, scope, asked, rows)
            _check_options(asked, model, rows, source)
            job = jobs.add(
                session,
                scope,
                id=uuid.uuid4().hex,
                kind="train",
                model_pk=model.pk,
                model=model.name,
                request=asked.document(),
            )
            self._queue.enqueue(session, job.id)
            session.refresh(job)
            return Answer(202, job_views.view(job), f"/jobs/{job.id}")

        return answer_once(self._database, scope, key, make)


def _model(session: Session, scope: Scope, request: TrainingRequest, rows: Sequence[SeriesRow]) -> ModelRow:
    """Return the model to train, made where it is new. Raises Conflict where it is fixed to something else.

    Until a model has a version or a job under way, its specification may still change.
    """
    freq = rows[0].freq
    model = models.get(session, scope, request.model, lock=True)
    if model is None:
        levels = sorted({*(request.quantiles or DEFAULT_QUANTILES), 0.5})
        return models.add(session, scope, request.model, freq, request.horizon, levels)
    levels = sorted({*(request.quantiles or model.quantiles), 0.5})
    asked: dict[str, tuple[object, object]] = {
        "frequency": (freq, model.freq),
        "horizon": (request.horizon, model.horizon),
        "quantiles": (levels, model.quantiles),
    }
    differ = {name: pair for name, pair in asked.items() if pair[0] != pair[1]}
    if differ and (model.last_version or jobs.active_of_model(session, model.pk)):
        name, (new, old) = next(iter(differ.items()))
        raise Conflict(
            ErrorCode.model_spec_conflict,
            f"the model {model.name!r} was first trained with {name} {old}, and {new} was asked for; "
            "train it under another name",
            errors=[FieldError(f"body.{n}", ErrorCode.model_spec_conflict, f"is {o}") for n, (_, o) in differ.items()],
        )
    model.freq, model.horizon, model.quantiles = freq, request.horizon, levels
    return model


def _check_options(request: TrainingRequest, model: ModelRow, rows: Sequence[SeriesRow], source: Config | None) -> None:
    """Raise Invalid where the options do not make a configuration."""
    frequency, lengths = parse_frequency(model.freq), [steps(row) for row in rows]
    try:
        if source is not None:
            transferred(source, frequency, lengths, model.horizon, bounds=request.bounds, training=request.training)
            return
        config = choose(
            frequency,
            model.horizon,
            tuple(model.quantiles),
            lengths,
            request.network,
            request.training,
            request.country,
        )
        replace(config, covariates=roles_of(request.document()), bounds=request.bounds)
        if request.search is not None:
            space = request.search["space"]
            axes_of(config, default_space(config, max(lengths)) if space is None else space)
    except ConfigError as e:
        raise Invalid(
            ErrorCode.invalid_input,
            str(e),
            errors=[FieldError(f"body.{e.field}", ErrorCode.invalid_input, e.detail)],
        ) from e
