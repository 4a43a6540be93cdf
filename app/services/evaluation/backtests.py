"""Backtests: requesting them, and reading their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.config import Settings
from app.errors import Conflict, ErrorCode, NotFound, Unavailable, invalid
from app.scope import Scope
from app.services.evaluation.kept_forecasts import MOST_VALUES, KeptForecasts
from app.services.idempotency import Idempotency, ServiceResponse, respond_once
from app.services.jobs import views as job_views
from app.services.jobs.submission import JobOptions, Submission, respond_accepted
from app.services.paging import convert_cursor_errors
from app.services.registry.builtin import parse_builtin_name, refuse_reserved
from app.services.registry.lookup import parse_reference, resolve_version
from app.services.series.aggregation import count_read_steps, is_readable
from app.services.series.ids import MAX_ID
from app.services.series.selection import Selector
from app.services.training.checks import count_steps, require_trainable
from app.services.training.warm_start import ROLES
from app.storage import jobs
from app.storage.artifacts import ArtifactError, ArtifactMissing, ArtifactStore
from app.storage.engine import Database
from app.storage.pages import Page
from app.storage.tables import JobRow, ModelRow, SeriesRow, VersionRow
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.data.splits import shortest_context
from models.planning.cost import Cost, estimate_cost

MOST_REFITS = 1000
"""trainings of one backtest"""
REQUEST_FIELDS = ("version", "horizon", "n_windows", "step_size", "refit", "baselines")
RESULT_FIELDS = ("windows", "series", "overall", "by_step", "by_series", "by_window")


@dataclass(frozen=True)
class BacktestRequest:
    """The options of a backtest."""

    model: str
    """`name`, or `name@version`: the configuration to test"""
    series: Selector
    n_windows: int
    horizon: int | None = None
    """None: the model's"""
    step_size: int | None = None
    """None: the horizon"""
    refit: bool = False
    baselines: Sequence[str] | None = None
    """None: the default ones"""


class BacktestService:
    """The operations behind POST /backtest and GET /backtests/{id}."""

    def __init__(self, database: Database, submission: Submission, store: ArtifactStore, settings: Settings) -> None:
        self._database = database
        self._submission = submission
        self._store = store
        self._settings = settings

    def create(
        self, scope: Scope, request: BacktestRequest, options: JobOptions, key: Idempotency | None
    ) -> ServiceResponse:
        """Queue a backtest.

        Raises NotFound for model, version or series, Conflict `no_champion`, and Invalid for impossible numbers,
        series of another frequency and backtests that are too large.
        """
        name, pin = parse_reference(request.model)
        if parse_builtin_name(name):
            raise refuse_reserved()  # a backtest trains

        def make(session: Session) -> ServiceResponse:
            model, resolved = resolve_version(session, scope, name, pin)  # revisions have their version's configuration
            version = resolved.row
            config = Config.from_dict(version.config)
            horizon = self._check_horizon(request, model)
            covariates = {role: getattr(config.covariates, role) for role in ROLES}
            rows = require_trainable(session, scope, request.series, covariates, self._settings.max_train_steps)
            _check_frequency(rows, model, config.cleaning)
            self._check_windows(request.n_windows * len(rows))
            _check_refits(request)
            lengths = [count_read_steps(row, count_steps(row), config.cleaning) for row in rows]
            _check_history(request.n_windows, request.step_size or horizon, model.horizon, max(lengths))
            document = _build_document(request, version, horizon)
            cost = _estimate_cost(config, lengths, request).to_dict()
            job = self._submission.add(session, scope, "backtest", model, document, options, cost)
            return respond_accepted(session, job)

        return respond_once(self._database, scope, key, make)

    def get(self, scope: Scope, job_id: str) -> dict[str, Any]:
        """Return a backtest, its measures null until it has succeeded. Raises NotFound."""
        with self._database.read() as session:
            code = ErrorCode.backtest_not_found
            row = job_views.require_job_of_kind(session, scope, job_id, "backtest", code, "backtest")
            return _describe_backtest(row, jobs.get_result(session, row.id) or {})

    def list_forecasts(
        self, scope: Scope, job_id: str, series_id: str | None, cursor: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """Return a page of the forecasts of a backtest, by series and origin.

        Raises NotFound for the backtest, for a series that it has not forecast and for forecasts that were not kept,
        Conflict until it has succeeded, Invalid for an unknown cursor, and Unavailable while the store is away.
        """
        with self._database.read() as session:
            code = ErrorCode.backtest_not_found
            row = job_views.require_job_of_kind(session, scope, job_id, "backtest", code, "backtest")
            result = jobs.get_result(session, row.id)
        if row.status != "succeeded":
            detail = f"the backtest is {row.status}, and has forecasts once it has succeeded: GET /jobs/{row.id}"
            raise Conflict(ErrorCode.backtest_unfinished, detail)
        kept = self._load_forecasts((result or {}).get("forecasts"))
        if series_id is not None and series_id not in kept.timezones:
            detail = f"the backtest has no window of the series {series_id[:MAX_ID]!r}; without `series` all are listed"
            raise NotFound(ErrorCode.series_not_found, detail)
        with convert_cursor_errors():
            return kept.list_page(series_id, cursor, limit)

    def _load_forecasts(self, record: dict[str, Any] | None) -> KeptForecasts:
        if record is None:
            raise _not_kept("an earlier release made it; POST /backtest makes it again")
        if record["path"] is None:
            size = f"it has {record['values']} values, and {MOST_VALUES} are kept at most"
            raise _not_kept(f"{size}; POST /backtest with fewer series, windows or steps")
        try:
            return KeptForecasts.from_bytes(self._store.get(record["path"]))
        except ArtifactMissing as e:
            raise _not_kept("their file is gone; POST /backtest makes it again") from e
        except ArtifactError as e:
            detail = "the artifact store does not answer; try again in a few seconds"
            raise Unavailable(ErrorCode.artifact_unavailable, detail, headers={"Retry-After": "2"}) from e

    def _check_horizon(self, request: BacktestRequest, model: ModelRow) -> int:
        if request.horizon is not None and request.horizon > model.horizon:
            detail = f"the model forecasts {model.horizon} steps, and {request.horizon} were requested"
            raise invalid("body.horizon", ErrorCode.horizon_too_long, detail)
        return request.horizon or model.horizon

    def _check_windows(self, windows: int) -> None:
        limit = self._settings.max_backtest_windows
        if windows > limit:
            detail = (
                f"this would be {windows} windows (series times n_windows), and the limit is {limit}; "
                "request fewer windows or series"
            )
            raise invalid("body.n_windows", ErrorCode.too_many_values, detail)


def _not_kept(why: str) -> NotFound:
    return NotFound(
        ErrorCode.backtest_forecasts_not_kept, f"the measures of this backtest are kept, its forecasts are not: {why}"
    )


def _build_document(request: BacktestRequest, version: VersionRow, horizon: int) -> dict[str, Any]:
    """Return the request as plain JSON, which is stored with the job."""
    return {
        "version": version.number,
        "series": request.series.document(),
        "horizon": horizon,
        "n_windows": request.n_windows,
        "step_size": request.step_size or horizon,
        "refit": request.refit,
        "baselines": list(request.baselines) if request.baselines is not None else None,
    }


def _check_refits(request: BacktestRequest) -> None:
    if request.refit and request.n_windows > MOST_REFITS:
        detail = f"refit trains {request.n_windows} times, and the limit is {MOST_REFITS}; request fewer windows"
        raise invalid("body.n_windows", ErrorCode.too_many_values, detail)


def _check_history(n_windows: int, step: int, horizon: int, longest: int) -> None:
    """Raise Invalid where not even the longest series leaves enough to train on before its first window."""
    room = longest - 2 * horizon - shortest_context(horizon, longest)
    if room < (n_windows - 1) * step:
        most = max(0, room // step + 1)
        advice = f"{most} are possible" if most else "0 are possible: upload more observations"
        detail = (
            f"the longest series has {longest} steps, which leaves too little to train on before {n_windows} windows; "
            f"{advice}"
        )
        raise invalid("body.n_windows", ErrorCode.not_enough_data, detail)


def _check_frequency(rows: Sequence[SeriesRow], model: ModelRow, cleaning: CleaningConfig) -> None:
    other = next((row for row in rows if not is_readable(row, model.freq, cleaning)), None)
    if other is not None:
        detail = (
            f"the series have the frequency {other.freq!r}, the model has {model.freq!r}; "
            "select series of the model's frequency"
        )
        raise invalid("body.series", ErrorCode.frequency_mismatch, detail)


def _estimate_cost(config: Config, lengths: Sequence[int], request: BacktestRequest) -> Cost:
    trainings = request.n_windows if request.refit else 1
    judged = request.n_windows * len(lengths)
    return estimate_cost(config, lengths, len(config.covariates.temporal), trainings, judged)


def _describe_backtest(row: JobRow, result: dict[str, Any]) -> dict[str, Any]:
    job = job_views.describe_job(row)
    request = {name: row.request[name] for name in REQUEST_FIELDS}
    summary = {name: job[name] for name in ("id", "status", "progress", "model", "error", "created_at", "finished_at")}
    return (
        summary
        | request
        | {"baselines": result.get("baselines", request["baselines"])}
        | {name: result.get(name) for name in RESULT_FIELDS}
    )
