"""Errors that carry their own status and code.

ServiceError
├── Unreadable 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405 · NotAcceptable 406
├── Conflict 409
├── TooLarge 413 · Unsupported 415
├── Invalid 422 (may list `errors`)
├── TooManyRequests 429
├── Unavailable 503
└── JobRefused (told with the job)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Every code that a problem document, a job or a series' forecast may carry."""

    address_refused = "address_refused"
    alert_not_found = "alert_not_found"
    ambiguous_time = "ambiguous_time"
    artifact_unavailable = "artifact_unavailable"
    backtest_forecasts_not_kept = "backtest_forecasts_not_kept"
    backtest_not_found = "backtest_not_found"
    backtest_unfinished = "backtest_unfinished"
    bad_request = "bad_request"
    body_corrupt = "body_corrupt"
    body_too_large = "body_too_large"
    chart_unavailable = "chart_unavailable"
    covariate_in_use = "covariate_in_use"
    covariate_kind_conflict = "covariate_kind_conflict"
    covariate_not_found = "covariate_not_found"
    csv_malformed = "csv_malformed"
    database_unavailable = "database_unavailable"
    deadline_exceeded = "deadline_exceeded"
    diverged = "diverged"
    duplicate_timestamp = "duplicate_timestamp"
    explanation_too_long = "explanation_too_long"
    explanation_unavailable = "explanation_unavailable"
    export_failed = "export_failed"
    forbidden = "forbidden"
    forecast_not_finite = "forecast_not_finite"
    frequency_mismatch = "frequency_mismatch"
    horizon_too_long = "horizon_too_long"
    idempotency_key_in_use = "idempotency_key_in_use"
    idempotency_key_reused = "idempotency_key_reused"
    import_interrupted = "import_interrupted"
    internal_error = "internal_error"
    invalid_cursor = "invalid_cursor"
    invalid_duration = "invalid_duration"
    invalid_frequency = "invalid_frequency"
    invalid_input = "invalid_input"
    invalid_schedule = "invalid_schedule"
    invalid_series_id = "invalid_series_id"
    invalid_timestamp = "invalid_timestamp"
    invalid_timezone = "invalid_timezone"
    invalid_value = "invalid_value"
    job_failed = "job_failed"
    job_finished = "job_finished"
    job_not_found = "job_not_found"
    job_timed_out = "job_timed_out"
    job_too_large = "job_too_large"
    key_not_found = "key_not_found"
    length_mismatch = "length_mismatch"
    link_expired = "link_expired"
    link_invalid = "link_invalid"
    login_refused = "login_refused"
    login_unavailable = "login_unavailable"
    method_not_allowed = "method_not_allowed"
    missing_future_covariates = "missing_future_covariates"
    model_in_use = "model_in_use"
    model_not_found = "model_not_found"
    model_reserved = "model_reserved"
    model_spec_conflict = "model_spec_conflict"
    no_champion = "no_champion"
    no_history = "no_history"
    no_ingest_rules = "no_ingest_rules"
    nonexistent_time = "nonexistent_time"
    not_enough_data = "not_enough_data"
    not_acceptable = "not_acceptable"
    not_found = "not_found"
    off_grid = "off_grid"
    overloaded = "overloaded"
    project_in_use = "project_in_use"
    project_not_found = "project_not_found"
    quota_exceeded = "quota_exceeded"
    quantile_out_of_range = "quantile_out_of_range"
    rate_limited = "rate_limited"
    retention_not_found = "retention_not_found"
    rule_not_found = "rule_not_found"
    scan_not_found = "scan_not_found"
    scan_unfinished = "scan_unfinished"
    scans_busy = "scans_busy"
    scope_missing = "scope_missing"
    series_exists = "series_exists"
    series_not_found = "series_not_found"
    storage_full = "storage_full"
    table_malformed = "table_malformed"
    timezone_mismatch = "timezone_mismatch"
    too_many_alerts = "too_many_alerts"
    too_many_rules = "too_many_rules"
    too_many_series = "too_many_series"
    too_many_values = "too_many_values"
    trainer_crashed = "trainer_crashed"
    training_failed = "training_failed"
    unauthorized = "unauthorized"
    unsupported_media_type = "unsupported_media_type"
    version_is_champion = "version_is_champion"
    version_not_found = "version_not_found"
    watch_not_found = "watch_not_found"


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with an input."""

    field: str
    """where: a JSON path such as `body.y.3`, or `row 12` of an import"""
    code: str
    detail: str


@dataclass(frozen=True)
class RowError:
    """One row that is wrong.

    `row` is the number that its reader gave it: from 0 in columns that were sent as JSON, from 1 below the header in a
    table.
    """

    row: int
    code: str
    detail: str


class ServiceError(Exception):
    """Anything that a client may be told. `detail` says what to do next."""

    status = 500
    title = "Internal error"

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}


class Unreadable(ServiceError):
    """The body is not what its headers say."""

    status = 400
    title = "Unreadable"


class Unauthorized(ServiceError):
    """No key, or one that is unknown or revoked."""

    status = 401
    title = "Unauthorized"


class Forbidden(ServiceError):
    """The key does not carry the right."""

    status = 403
    title = "Forbidden"


class NotFound(ServiceError):
    """The thing does not exist in the key's project."""

    status = 404
    title = "Not found"


class MethodNotAllowed(ServiceError):
    """The path exists, and does not take the method."""

    status = 405
    title = "Method not allowed"


class Conflict(ServiceError):
    """The thing exists in a state that does not allow the call."""

    status = 409
    title = "Conflict"


class TooLarge(ServiceError):
    """The body is over its limit."""

    status = 413
    title = "Too large"


class NotAcceptable(ServiceError):
    """The answer is asked for in a format that the call does not write."""

    status = 406
    title = "Not acceptable"


class Unsupported(ServiceError):
    """The body's format is not one that the call reads."""

    status = 415
    title = "Unsupported media type"


class Invalid(ServiceError):
    """The input is wrong."""

    status = 422
    title = "Invalid input"


class TooManyRequests(ServiceError):
    """The caller asks for more than their limits allow now; `Retry-After` says when to go on."""

    status = 429
    title = "Too many requests"


def invalid(field: str, code: ErrorCode, detail: str) -> Invalid:
    """Return the error of one field."""
    return Invalid(code, detail, errors=[FieldError(field, code, detail)])


class Unavailable(ServiceError):
    """Something that the call needs is not there now; try again."""

    status = 503
    title = "Unavailable"


class JobRefused(ServiceError):
    """The job cannot succeed, for a reason that its user can mend."""

    title = "Job failed"
