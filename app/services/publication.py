"""Publishing a version: number, row, champion and the job's end in one fenced transaction."""

from collections.abc import Mapping
from typing import Any

from app.errors import ErrorCode
from app.services.promotion import Verdict
from app.services.training_request import Selector, selector_of
from app.storage import jobs, models
from app.storage.engine import Database
from app.storage.jobs import Fence
from app.storage.keys import ALL_RIGHTS
from app.storage.scope import Scope
from app.storage.tables import JobRow, VersionRow
from models.fit import Fitted
from models.timestamps import format_stamp
from models.windows import Panel


class BadJob(Exception):
    """The job cannot succeed, for a reason that its user can mend."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def publish(
    database: Database,
    fence: Fence,
    job: JobRow,
    panel: Panel,
    fitted: Fitted,
    verdict: Verdict,
    files: Mapping[str, str],
) -> VersionRow:
    """Publish a judged version, whose `files` are its `artifact` folder and its manifest's `digest`.

    Raises FenceLost, and BadJob where the model is gone; then nothing was published.
    """
    fields = _fields(panel, fitted, verdict, selector_of(job.request))
    with database.write() as session:
        model = models.by_pk(session, Scope(job.project_id, ALL_RIGHTS), job.model_pk, lock=True)
        if model is None:
            raise BadJob(ErrorCode.model_not_found, "the model was deleted while it was trained")
        outdated = job.request["promote"] == "if_better" and verdict.champion != model.champion
        if outdated:
            reason = f"version {model.champion} became champion while this one was judged; train again"
            fields |= {"promoted": False, "reason": reason}
        row = models.publish(session, model, {**fields, **files, "job_id": job.id})
        progress = dict(jobs.held(session, fence).progress or {})
        progress |= {"fraction": 1.0, "eta_s": 0.0}
        jobs.finish(session, fence, "succeeded", progress=progress, version=row.number, checkpoint=None)
    return row


def _fields(panel: Panel, fitted: Fitted, verdict: Verdict, selector: Selector) -> dict[str, Any]:
    missing = set(selector.ids or ()) - {one.id for one in panel.series}
    report = fitted.report.to_dict()
    metrics: Mapping[str, Any] = report["metrics"]
    first = min(panel.series, key=lambda s: int(s.stamps(0, 1)[0]))
    last = max(panel.series, key=lambda s: int(s.stamps(len(s.y) - 1, len(s.y))[0]))
    return {
        "promoted": verdict.promoted,
        "reason": verdict.reason,
        "config": fitted.config.to_dict(),
        "metrics": {"gate": None, "season_naive": None, **metrics, **verdict.metrics},
        "loss_curve": report["loss_curve"],
        "data_span": {
            "start": format_stamp(int(first.stamps(0, 1)[0]), first.grid.timezone),
            "end": format_stamp(int(last.stamps(len(last.y) - 1, len(last.y))[0]), last.grid.timezone),
            "series": [one.id for one in panel.series],
        },
        "warnings": [*report["warnings"], *(["empty_series"] if missing else [])],
    }
