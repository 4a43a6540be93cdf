"""Publishing a version: number, row, champion and the job's end in one fenced transaction."""

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from app.errors import ErrorCode, JobRefused
from app.services.jobs.documents import parse_selector
from app.services.runs.attempt import Attempt
from app.services.runs.promotion import Verdict
from app.services.series.selection import Selector
from app.storage import jobs, registry
from app.storage.tables import JobRow, VersionRow
from models.calendar.timestamps import format_stamp
from models.data.preflight import compute_fingerprint, select_trainable
from models.data.series import Panel
from models.evaluation.floors import FLOORS
from models.training.fitted import Fitted

PACKAGES = ("gatecast", "torch", "numpy", "onnx", "onnxruntime", "statsforecast")
"""that decide what comes of a training"""


def publish(attempt: Attempt, panel: Panel, fitted: Fitted, verdict: Verdict, files: Mapping[str, str]) -> VersionRow:
    """Publish a judged version, whose `files` are its `artifact` folder and its manifest's `digest`.

    A job that was asked to stop ends as cancelled, with its version. Raises FenceLost, and JobRefused where the model
    is gone; then nothing was published.
    """
    job = attempt.job
    fence = attempt.fence
    fields = _fields(panel, fitted, verdict, parse_selector(job.request)) | {
        "provenance": _provenance(job, panel, fitted)
    }
    with attempt.database.write() as session:
        model = registry.get_by_pk(session, attempt.scope, job.model_pk, lock=True)
        if model is None:
            raise JobRefused(ErrorCode.model_not_found, "the model was deleted while it was trained")
        held = jobs.require_fenced(session, fence, lock=True)
        outdated = job.request["promote"] == "if_better" and verdict.champion != model.champion
        if outdated:
            reason = f"version {model.champion} became champion while this one was judged; train again"
            fields |= {"promoted": False, "reason": reason}
        stopped = held.stopping or "stopped" in fitted.report.warnings
        if held.stopping and "stopped" not in fitted.report.warnings:  # it was too late to stop the training itself
            reason = "cancelled by its user; PUT /models/{name}/champion sets it live"
            fields |= {"promoted": False, "reason": reason}
        row = registry.publish(session, model, {**fields, **files, "job_id": job.id})
        progress = {**(held.progress or {}), "fraction": 1.0, "eta_s": 0.0}
        status = "cancelled" if stopped else "succeeded"
        jobs.finish(session, fence, status, progress=progress, version=row.number, checkpoint=None)
    return row


def _provenance(job: JobRow, panel: Panel, fitted: Fitted) -> dict[str, Any]:
    """Return what made a version, by which it can be made again."""
    return {
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(next(fitted.network.parameters()).device),
        "seed": fitted.config.training.seed,
        "data_digest": compute_fingerprint(select_trainable(panel)),
        "started_by": job.started_by,
        "seconds": round(fitted.report.seconds, 3),
    }


def _fields(panel: Panel, fitted: Fitted, verdict: Verdict, selector: Selector) -> dict[str, Any]:
    missing = set(selector.ids or ()) - {item.id for item in panel.series}
    report = fitted.report.to_dict()
    metrics: Mapping[str, Any] = report["metrics"]
    first = min(panel.series, key=lambda s: int(s.stamps(0, 1)[0]))
    last = max(panel.series, key=lambda s: int(s.stamps(len(s.y) - 1, len(s.y))[0]))
    return {
        "promoted": verdict.promoted,
        "reason": verdict.reason,
        "config": fitted.config.to_dict(),
        "metrics": {"gate": None, **dict.fromkeys(FLOORS), **metrics, **verdict.metrics},
        "loss_curve": report["loss_curve"],
        "data_span": {
            "start": format_stamp(int(first.stamps(0, 1)[0]), first.grid.timezone),
            "end": format_stamp(int(last.stamps(len(last.y) - 1, len(last.y))[0]), last.grid.timezone),
            "series": [item.id for item in panel.series],
        },
        "warnings": [*report["warnings"], *(["empty_series"] if missing else [])],
    }
