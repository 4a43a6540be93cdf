"""Hints: what a user can do about a job that failed."""

from collections.abc import Mapping

from app.errors import ErrorCode

HINTS: Mapping[str, str] = {
    ErrorCode.artifact_unavailable: "check the artifact store and the database, then send the request again",
    ErrorCode.covariate_not_found: "upload the covariate with POST /series/{id}/observations, or leave it out",
    ErrorCode.diverged: "look for extreme values in the series, or set a lower training.learning_rate",
    ErrorCode.export_failed: "train again with other network options, and report what the job's log says",
    ErrorCode.frequency_mismatch: "select series of the model's frequency",
    ErrorCode.invalid_input: "change the option that `detail` names, and send the request again",
    ErrorCode.job_failed: "GET /jobs/{id}/log shows the cause; send the request again once it is fixed",
    ErrorCode.job_timed_out: "set a longer timeout_s, fewer series, or training.time_budget_s, which ends in time",
    ErrorCode.model_not_found: "POST /train creates the model again",
    ErrorCode.no_champion: "promote a version with PUT /models/{name}/champion, or name one as name@version",
    ErrorCode.not_enough_data: "POST /series/{id}/observations adds values; `detail` says what is missing",
    ErrorCode.series_not_found: "GET /series lists the series that exist",
    ErrorCode.too_many_values: "ask for fewer series or a shorter span",
    ErrorCode.trainer_crashed: "give it more memory, or train on fewer series, a shorter context or smaller batches",
    ErrorCode.training_failed: "GET /jobs/{id}/log shows the cause; train again once it is fixed",
    ErrorCode.version_not_found: "GET /models/{name}/versions lists the versions that exist",
}


def get_hint(code: str) -> str:
    """Return the hint for an error code of a job; codes without one get that of `job_failed`."""
    return HINTS.get(code, HINTS[ErrorCode.job_failed])
