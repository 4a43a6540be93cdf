"""Publishing a version: number, row, champion and the job's end in one fenced transaction."""

import platform
from collections import Counter
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from app.errors import ErrorCode, JobRefused
from app.services.jobs.documents import parse_selector
from app.services.runs.attempt import Attempt
from app.services.runs.promotion import Verdict
from app.services.runs.snapshots import Snapshot
from app.services.series.selection import Selector
from app.storage import jobs, registry
from app.storage.tables import JobRow, VersionRow
from models.calendar.timestamps import format_stamp
from models.config.model import Config
from models.data.aggregation import AggregationRecord, select_for_training
from models.data.cleaning import count_cleaned
from models.data.preflight import compute_fingerprint, select_trainable
from models.data.series import Panel
from models.evaluation.floors import FLOORS
from models.training.fitted import Fitted

MOST_REFUSED = 100
"""series that a version names, of those that have too many gaps"""
PACKAGES = ("gatecast", "torch", "numpy", "onnx", "onnxruntime", "statsforecast")
"""that decide what comes of a training"""


def publish(
    attempt: Attempt, snapshot: Snapshot, fitted: Fitted, verdict: Verdict, files: Mapping[str, str]
) -> VersionRow:
    """Publish a judged version, whose `files` are its `artifact` folder and its manifest's `digest`.

    A job that was asked to stop ends as cancelled, with its version. Raises FenceLost, and JobRefused where the model
    is gone; then nothing was published.
    """
    job = attempt.job
    fence = attempt.fence
    panel = snapshot.panel
    fields = _fields(panel, fitted, verdict, parse_selector(job.request), snapshot.record) | {
        "provenance": _provenance(job, snapshot, fitted)
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


def _provenance(job: JobRow, snapshot: Snapshot, fitted: Fitted) -> dict[str, Any]:
    """Return what made a version, by which it can be made again."""
    kept = select_for_training(snapshot.panel, fitted.config.cleaning)[0]
    return {
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(next(fitted.network.parameters()).device),
        "seed": fitted.config.training.seed,
        "data_digest": compute_fingerprint(select_trainable(kept)),
        "cleaning": _describe_cleaning(snapshot, fitted.config),
        "started_by": job.started_by,
        "seconds": round(fitted.report.seconds, 3),
    }


def _describe_cleaning(snapshot: Snapshot, config: Config) -> dict[str, Any]:
    """Return what cleaning did to the series: in total, and to the one that it changed most."""
    kept, record = select_for_training(snapshot.panel, config.cleaning)
    counts = count_cleaned(kept, config)
    filled = Counter(counts.filled) + Counter(snapshot.record.filled)
    refused = {**snapshot.record.refused, **record.refused}
    return {
        "filled": _sum_counts(filled),
        "clipped": _sum_counts(counts.clipped),
        "refused": [{"series_id": name, "detail": detail} for name, detail in list(refused.items())[:MOST_REFUSED]],
    }


def _sum_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {
        "total": sum(counts.values()),
        "most": max(counts.values(), default=0),
        "series": sum(count > 0 for count in counts.values()),
    }


def _fields(
    panel: Panel, fitted: Fitted, verdict: Verdict, selector: Selector, record: AggregationRecord
) -> dict[str, Any]:
    missing = set(selector.ids or ()) - {item.id for item in panel.series} - set(record.refused)
    incomplete = bool(record.refused) and "incomplete_series" not in fitted.report.warnings
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
        "warnings": [
            *report["warnings"],
            *(["incomplete_series"] if incomplete else []),
            *(["empty_series"] if missing else []),
        ],
    }
