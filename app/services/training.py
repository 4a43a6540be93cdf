"""Asking for a training: what is asked is checked, fixed and queued in one transaction."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, FieldError, Invalid, NotFound
from app.jobs.queue import JobQueue
from app.services import jobs as job_views
from app.services.once import Answer, Idempotency, answer_once
from app.services.series import is_series_id
from app.storage import jobs, models, observations, series
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import ModelRow, SeriesRow
from models.calendar import parse_frequency
from models.config import ConfigError
from models.defaults import choose

DEFAULT_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
LEAST_OBSERVED = 3
"""observed values that a series must have to be trained on"""

Promote = Literal["if_better", "always", "never"]


@dataclass(frozen=True)
class Selector:
    """Which series: these ids, or those with all of these labels; all where neither is set."""

    ids: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class TrainingRequest:
    """What POST /train asks for, as it is kept with the job."""

    model: str
    series: Selector
    horizon: int
    quantiles: tuple[float, ...] | None
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    promote: Promote

    def document(self) -> dict[str, Any]:
        """Return plain JSON."""
        one = self.series
        return {
            "series": {"ids": list(one.ids)}
            if one.ids is not None
            else {"labels": one.labels}
            if one.labels
            else "all",
            "network": dict(self.network),
            "training": dict(self.training),
            "promote": self.promote,
        }


def selector_of(document: Mapping[str, Any]) -> Selector:
    """Return the selector of a job's stored request."""
    asked = document["series"]
    if asked == "all":
        return Selector()
    return Selector(tuple(asked["ids"]) if "ids" in asked else None, asked.get("labels"))


def selected(session: Session, scope: Scope, selector: Selector) -> list[SeriesRow]:
    """Return the series that a selector names now, in the order of their ids; ids that are gone are left out."""
    ids: Sequence[str]
    if selector.ids is not None:
        ids = [i for i in selector.ids if is_series_id(i)]
    else:
        ids = series.select_ids(session, scope, list((selector.labels or {}).items()))
    found = series.get_many(session, scope, ids)
    return [found[i] for i in sorted(found)]


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
            rows = self._trainable(session, scope, request)
            model = _model(session, scope, request, rows)
            _check_options(request, model, rows)
            job = jobs.add(
                session,
                scope,
                id=uuid.uuid4().hex,
                kind="train",
                model_pk=model.pk,
                model=model.name,
                request=request.document(),
            )
            self._queue.enqueue(session, job.id)
            session.refresh(job)
            return Answer(202, job_views.view(job), f"/jobs/{job.id}")

        return answer_once(self._database, scope, key, make)

    def _trainable(self, session: Session, scope: Scope, request: TrainingRequest) -> list[SeriesRow]:
        rows = selected(session, scope, request.series)
        _check_found(request.series, rows)
        freqs = sorted({row.freq for row in rows})
        if len(freqs) > 1:
            detail = f"the series have the frequencies {', '.join(freqs)}; a model has one: select series of one"
            raise Invalid(ErrorCode.frequency_mismatch, detail)
        total, limit = sum(map(_steps, rows)), self._settings.max_train_steps
        if total > limit:
            detail = f"the series span {total} steps from first to last value, the limit is {limit}; select fewer"
            raise Invalid(ErrorCode.too_many_values, detail)
        _check_history(session, rows)
        return rows


def _steps(row: SeriesRow) -> int:
    """Return about how many steps lie between a series' first and last value, the missing ones too."""
    if row.first_ts is None or row.last_ts is None:
        return 0
    return (row.last_ts - row.first_ts) // parse_frequency(row.freq).approximate_us + 1


def _check_found(selector: Selector, rows: Sequence[SeriesRow]) -> None:
    present = {row.id for row in rows}
    missing = [i for i in selector.ids or () if i not in present]
    if missing:
        code = ErrorCode.series_not_found
        errors = [FieldError("body.series.ids", code, f"there is no series {i[:200]!r}") for i in missing[:100]]
        detail = f"{len(missing)} of the series do not exist, such as {missing[0][:200]!r}; POST /series makes one"
        raise NotFound(code, detail, errors=errors)
    if not rows:
        detail = "no series matches; GET /series lists them with their labels"
        raise NotFound(ErrorCode.series_not_found, detail)


def _check_history(session: Session, rows: Sequence[SeriesRow]) -> None:
    """Raise Invalid where not one of the series has enough observed values to learn from."""
    short = [row for row in rows if row.count < 1000 or row.last_ts is None]
    if len(short) < len(rows):
        return
    counts = observations.observed(session, short)
    if max(counts.values(), default=0) >= LEAST_OBSERVED:
        return
    errors = [
        FieldError("body.series", ErrorCode.not_enough_data, f"{row.id!r} has {counts[row.pk]} observed values")
        for row in short[:100]
    ]
    detail = (
        f"no series has {LEAST_OBSERVED} observed values; POST /series/{{id}}/observations adds some "
        "(a good model wants several seasons)"
    )
    raise Invalid(ErrorCode.not_enough_data, detail, errors=errors)


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


def _check_options(request: TrainingRequest, model: ModelRow, rows: Sequence[SeriesRow]) -> None:
    """Raise Invalid where the options do not make a configuration."""
    try:
        choose(
            parse_frequency(model.freq),
            model.horizon,
            tuple(model.quantiles),
            [_steps(row) for row in rows],
            request.network,
            request.training,
        )
    except ConfigError as e:
        raise Invalid(
            ErrorCode.invalid_input,
            str(e),
            errors=[FieldError(f"body.{e.field}", ErrorCode.invalid_input, e.detail)],
        ) from e
