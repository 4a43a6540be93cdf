"""A scheduled forecast: what the champion forecasts of its series, kept to be read and scored later."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode
from app.jobs.queue import JobQueue
from app.logs import get_logger
from app.scope import Scope
from app.services.evaluation.skill import drift_of
from app.services.forecasting.inputs import contexts
from app.services.forecasting.inputs.covariates import Ready, made_ready
from app.services.jobs.documents import selector_of
from app.services.jobs.submission import Submission
from app.services.runs.attempt import Attempt, BadJob
from app.services.schedules.service import BY_DRIFT, retrain
from app.services.series.selection import selected
from app.serving.runtime import LoadedVersion
from app.storage import archive as archived
from app.storage import jobs, registry, schedules, series
from app.storage.tables import ModelRow, SeriesRow, VersionRow
from models.calendar.frequency import parse_frequency
from models.classical.statistical_models import season_naive
from models.data.series import Series
from models.evaluation import metrics
from models.inference.predict import predict

log = get_logger(__name__)

CHUNK = 500
"""series of one transaction"""


def archive(attempt: Attempt) -> None:
    """Forecast every series that the champion's training would be about now, and keep what is told.

    Raises BadJob where no version is live, or its files are broken.
    """
    model, row = _champion(attempt)
    version = attempt.loaded(row)
    kept, errors = 0, dict[str, str]()
    ids = _ids(attempt, model, row)
    for at in range(0, len(ids), CHUNK):
        kept += _archive(attempt, model, row, version, ids[at : at + CHUNK], errors)
        attempt.journal.tell({"phase": "forecast", "fraction": min(1.0, (at + CHUNK) / len(ids))})
        attempt.leave()
    with attempt.database.read() as session:
        found = drift_of(session, model, row)
    result = {
        "version": row.number,
        "series": len(ids),
        "archived": kept,
        "errors": dict(list(errors.items())[:100]),
        "drift": found,
    }
    attempt.succeed(result, version=row.number)
    if found["status"] == "drifting":
        _answer_drift(attempt, model)


def _champion(attempt: Attempt) -> tuple[ModelRow, VersionRow]:
    model = attempt.model()
    with attempt.database.read() as session:
        row = registry.version(session, model, model.champion) if model.champion is not None else None
    if row is None:
        raise BadJob(ErrorCode.no_champion, f"no version of the model {model.name!r} is live")
    return model, row


def _ids(attempt: Attempt, model: ModelRow, row: VersionRow) -> list[str]:
    with attempt.database.read() as session:
        made_by = jobs.state(session, row.job_id)
        if made_by is None or "series" not in made_by.request:
            return list(row.data_span["series"])
        rows = selected(session, attempt.scope, selector_of(made_by.request))
        return [one.id for one in rows if one.freq == model.freq and one.last_ts is not None]


def _archive(
    attempt: Attempt,
    model: ModelRow,
    row: VersionRow,
    version: LoadedVersion,
    ids: Sequence[str],
    errors: dict[str, str],
) -> int:
    """Forecast some series and keep that, in one transaction that holds the fence; return how many are new."""
    with attempt.database.read() as session:  # one snapshot: the series' versions are those that were forecast from
        known = series.get_many(session, attempt.scope, ids)
        state = contexts.stored(session, attempt.scope, ids, model, version.config, None)
    ready = made_ready(state.series, {}, None, version.config, model.horizon)
    errors |= {i: refusal["code"] for i, refusal in (state.errors | ready.refused).items()}
    rows = _rows(ready, version, model, row, known)

    def kept(session: Session) -> int:
        jobs.held(session, attempt.fence, lock=True)
        there = series.present(session, [one["series_pk"] for one in rows])  # one may have been deleted just now
        return archived.add(session, [one for one in rows if one["series_pk"] in there])

    return attempt.database.retried(kept)


def _rows(
    ready: Ready, version: LoadedVersion, model: ModelRow, row: VersionRow, known: dict[str, SeriesRow]
) -> list[dict[str, Any]]:
    config = version.config
    season = config.network.season
    found = predict(ready.series, version.run, config, [len(one.y) - 1 for one in ready.series])
    return [
        {
            "model_pk": model.pk,
            "version": row.number,
            "series_pk": known[one.id].pk,
            "series_version": known[one.id].version,
            "origin": told.origin,
            "scale": _scale(one, season),
            "forecast": {
                "levels": list(told.levels),
                "quantiles": told.quantiles.tolist(),
                "season_naive": season_naive(one.y, config.horizon, season).tolist(),
            },
        }
        for one, told in zip(ready.series, found, strict=True)
        if np.isfinite(told.quantiles).all()
    ]


def _scale(one: Series, season: int) -> float | None:
    error = metrics.season_error(one.y, season)
    return error if error > 0 else None


def _answer_drift(attempt: Attempt, model: ModelRow) -> None:
    """Train the model again where its schedule says so, unless it was trained since the drift could be told."""
    queue = JobQueue(attempt.database)
    submission = Submission(queue, attempt.settings)
    scope = Scope(attempt.scope.project_id, attempt.scope.rights, by=BY_DRIFT)
    pause = model.horizon * parse_frequency(model.freq).approximate_us  # new evidence takes as long to come true
    job = None
    with attempt.database.write() as session:
        schedule = schedules.get(session, model.pk)
        if schedule is not None and schedule.train_on_drift and jobs.rested(session, model.pk, pause):
            job = retrain(session, submission, scope, model.pk)
    queue.close()
    if job is not None:
        log.info("drift_answered", model=model.name, job_id=job.id)
