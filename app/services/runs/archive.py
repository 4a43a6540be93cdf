"""A scheduled forecast: what the champion forecasts of its series, kept to be read and scored later."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ServiceError
from app.jobs.queue import JobQueue
from app.logs import get_logger
from app.scope import Scope
from app.services.evaluation.skill import measure_drift
from app.services.forecasting.inputs.contexts import load_contexts, select_contexts
from app.services.forecasting.inputs.covariates import complete_all
from app.services.jobs.documents import parse_cleaning
from app.services.jobs.submission import Submission
from app.services.registry.members import select_members
from app.services.runs.archive_widths import measure_widths, plan_replays
from app.services.runs.attempt import Attempt
from app.services.schedules.service import BY_DRIFT, retrain
from app.services.series.aggregation import is_readable
from app.services.series.selection import select_series
from app.serving.runtime import LoadedVersion
from app.storage import archive as archived
from app.storage import jobs, schedules, series
from app.storage.tables import ModelRow, SeriesRow, VersionRow
from models.arrays import Floats
from models.calendar.frequency import parse_frequency
from models.classical.on_clock import season_naive_on_clock
from models.data.series import Series
from models.evaluation import metrics
from models.inference.predict import predict
from models.inference.widths import IntervalWidths

log = get_logger(__name__)

CHUNK = 500
"""series of one transaction"""


def archive(attempt: Attempt) -> None:
    """Forecast every series that the champion's training would be about now, and keep what is told.

    Raises JobRefused where no version is live, or its files are broken.
    """
    model = attempt.get_model()
    row = attempt.get_champion(model)
    version = attempt.load_version(row)
    kept = 0
    errors: dict[str, str] = {}
    ids = _ids(attempt, model, row)
    for at in range(0, len(ids), CHUNK):
        kept += _archive(attempt, model, row, version, ids[at : at + CHUNK], errors)
        attempt.journal.tell({"phase": "forecast", "fraction": min(1.0, (at + CHUNK) / len(ids))})
        attempt.leave_if_asked()
    with attempt.database.read() as session:
        drift = measure_drift(session, model, row)
    result = {
        "version": row.number,
        "revision": row.revision,
        "series": len(ids),
        "archived": kept,
        "errors": dict(list(errors.items())[:100]),
        "drift": drift,
    }
    attempt.succeed(result, version=row.number)
    if drift["status"] == "drifting":
        _answer_drift(attempt, model)


def _ids(attempt: Attempt, model: ModelRow, row: VersionRow) -> list[str]:
    with attempt.database.read() as session:
        made_by = jobs.get_unscoped(session, row.job_id)
        request = made_by.request if made_by is not None else None
        rows = select_series(session, attempt.scope, select_members(request, row.data_span))
        return [
            series_row.id
            for series_row in rows
            if is_readable(series_row, model.freq, parse_cleaning(row.config)) and series_row.last_ts is not None
        ]


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
        selection = select_contexts(session, attempt.scope, ids, model.freq, version.config.cleaning, None)
        contexts = load_contexts(session, attempt.scope, selection, selection.forecastable, version.config)
        by_id = {context.id: context for context in contexts}
        completed, refusals = complete_all(by_id, {}, None, version.config, model.horizon)
        contexts_by_id = {i: context.series for i, context in completed.items()}
        plans = plan_replays(session, attempt, row, version.config, contexts_by_id, selection.rows)
    errors |= {i: refusal["code"] for i, refusal in (selection.refusals | refusals).items()}
    forecastable = list(contexts_by_id.values())
    widths = measure_widths(forecastable, plans, version)
    rows = _forecast(forecastable, widths, version, model, row, selection.rows)

    def store(session: Session) -> int:
        jobs.require_fenced(session, attempt.fence, lock=True)
        present = series.find_present(session, [r["series_pk"] for r in rows])  # one may have been deleted just now
        return archived.add(session, [r for r in rows if r["series_pk"] in present])

    return attempt.database.write_with_retry(store)


def _forecast(
    contexts: Sequence[Series],
    widths: Mapping[str, IntervalWidths | None],
    version: LoadedVersion,
    model: ModelRow,
    row: VersionRow,
    stored: Mapping[str, SeriesRow],
) -> list[dict[str, Any]]:
    """Return a row of the archive for each series with a finite forecast."""
    config = version.config
    season = config.network.season
    forecasts = predict(contexts, version.run, config, [len(context.y) - 1 for context in contexts])
    return [
        {
            "model_pk": model.pk,
            "version": row.number,
            "revision": row.revision,
            "series_pk": stored[context.id].pk,
            "series_version": stored[context.id].version,
            "origin": forecast.origin,
            "scale": _scale(context, season),
            "forecast": {
                "levels": list(forecast.levels),
                "quantiles": _widen(forecast.quantiles, widths.get(context.id)).tolist(),
                "season_naive": season_naive_on_clock(context, len(context.y) - 1, config.horizon, season).tolist(),
            },
        }
        for context, forecast in zip(contexts, forecasts, strict=True)
        if np.isfinite(forecast.quantiles).all()
    ]


def _widen(quantiles: Floats, widths: IntervalWidths | None) -> Floats:
    """Return quantiles (H, Q) at other distances from the median."""
    return quantiles if widths is None else widths.apply(quantiles.T).T


def _scale(series: Series, season: int) -> float | None:
    error = metrics.season_error(series.y, season)
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
        if schedule is not None and schedule.train_on_drift and jobs.is_training_idle(session, model.pk, pause):
            try:
                job = retrain(session, submission, scope, model.pk)
            except ServiceError as e:
                log.warning("drift_not_answered", model=model.name, detail=e.detail)
    queue.close()
    if job is not None:
        log.info("drift_answered", model=model.name, job_id=job.id)
