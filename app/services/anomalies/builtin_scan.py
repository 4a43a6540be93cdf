"""Scans by the built-in model: series of any frequency in one request, each by the version of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.scope import Scope
from app.services.anomalies.plan import Scan, Tasks, check_labels, plan_tasks
from app.services.anomalies.scan import SeriesScan, load_histories, scan_tasks
from app.services.registry.builtin import build_rows
from app.services.registry.loader import VersionLoader
from app.services.series.ids import is_series_id
from app.storage import series
from app.storage.revisions import VersionRevision
from models.config.model import Config
from models.data.series import Series

ANY = "D"
"""frequency by which series are refused that are not there"""


@dataclass(frozen=True)
class ScanPart:
    """The series of one frequency."""

    scan: Scan
    version: VersionRevision
    config: Config
    tasks: Tasks


def plan_parts(session: Session, scope: Scope, scan: Scan, only: str | None) -> list[ScanPart]:
    """Divide a scan by frequency, or take all series for those of one. Raises Invalid for bad times and labels."""
    check_labels(scan)
    stored = series.get_many(session, scope, [i for i in scan.series if is_series_id(i)])
    by_frequency: dict[str, list[str]] = {}
    for series_id in scan.series:
        own = stored[series_id].freq if series_id in stored else ANY
        by_frequency.setdefault(only or own, []).append(series_id)
    return [_plan_part(session, scope, scan, frequency, ids) for frequency, ids in by_frequency.items()]


def _plan_part(session: Session, scope: Scope, scan: Scan, frequency: str, ids: Sequence[str]) -> ScanPart:
    model, version = build_rows(frequency, scan.ahead)
    labels = {name: windows for name, windows in scan.labels.items() if name in ids}
    part = replace(scan, series=tuple(ids), labels=labels)
    config = Config.from_dict(version.row.config)
    return ScanPart(part, version, config, plan_tasks(session, scope, model, config.cleaning, part))


def load_parts(session: Session, scope: Scope, parts: Sequence[ScanPart]) -> list[dict[str, Series]]:
    """Load the histories of each part."""
    return [load_histories(session, scope, part.tasks.tasks, part.config, part.scan) for part in parts]


def scan_parts(
    versions: VersionLoader, scope: Scope, parts: Sequence[ScanPart], histories: Sequence[Mapping[str, Series]]
) -> list[SeriesScan]:
    """Score the steps of all parts. Raises Unavailable where the network was damaged."""
    scans: list[SeriesScan] = []
    for part, known in zip(parts, histories, strict=True):
        version = versions.get_builtin(scope, part.version, part.config)
        scans += scan_tasks(part.tasks.tasks, known, version, part.scan)
    return scans


def join_tasks(parts: Sequence[ScanPart]) -> Tasks:
    """Return the tasks and refusals of all parts."""
    errors = {name: error for part in parts for name, error in part.tasks.errors.items()}
    return Tasks([task for part in parts for task in part.tasks.tasks], errors)
