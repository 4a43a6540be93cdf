"""What each kind of job does, and how its failures are told."""

import time
from collections.abc import Callable

from app.errors import ErrorCode, JobRefused, ServiceError
from app.logs import get_logger
from app.services.runs.attempt import Attempt, HandedOver
from app.storage.artifacts import ArtifactError
from app.storage.engine import OUTAGE
from app.storage.jobs import FenceLost
from models.errors import ConfigError, TrainingDataError

log = get_logger(__name__)


def run(attempt: Attempt) -> None:
    """Do a job, and note its end.

    Raises FenceLost where another run or a cancellation has taken the job, HandedOver where the worker is to stop, and
    OUTAGE or ArtifactError where database or store were away: then the job goes on from what was kept.
    """
    kind = attempt.job.kind
    try:
        began = time.monotonic()
        work = _load_work(kind)
        attempt.import_seconds = time.monotonic() - began
        work(attempt)
    except (FenceLost, HandedOver, *OUTAGE, ArtifactError):
        raise
    except (ServiceError, TrainingDataError, ConfigError) as e:
        log.warning("job_refused", kind=kind, detail=str(e))
        attempt.fail(_error_code(e), str(e))
    except Exception as e:
        log.exception("job_failed", kind=kind)
        training = kind == "train"
        name = "training" if training else f"the {kind.replace('_', ' ')}"
        detail = f"{name} failed inside ({type(e).__name__}); GET /jobs/{{id}}/log has the traceback"
        attempt.fail(ErrorCode.training_failed if training else ErrorCode.job_failed, detail)
    finally:
        attempt.journal.close()


def _load_work(kind: str) -> Callable[[Attempt], None]:
    """Return what a kind of job does; each brings its own libraries."""
    match kind:
        case "train":
            from app.services.runs.training import Training

            return lambda attempt: Training(attempt).run()
        case "backtest":
            from app.services.runs.backtest import BacktestRun

            return lambda attempt: BacktestRun(attempt).run()
        case "refresh":
            from app.services.runs.refresh import Refresh

            return lambda attempt: Refresh(attempt).run()
        case "anomaly_scan":
            from app.services.runs.scan import scan

            return scan
        case "forecast":
            from app.services.runs.archive import archive

            return archive
    raise JobRefused(ErrorCode.job_failed, f"this worker's release knows no job of the kind {kind!r}; upgrade it")


def _error_code(error: Exception) -> ErrorCode:
    """Return what a client is told of an error that it can mend."""
    if isinstance(error, ServiceError):
        return error.code
    if isinstance(error, TrainingDataError):
        return ErrorCode.diverged if error.code == ErrorCode.diverged else ErrorCode.not_enough_data
    return ErrorCode.invalid_input
