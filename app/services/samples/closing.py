"""Closing the last steps of series into which nothing more has come: then they are observations like all others."""

import numpy as np
from sqlalchemy.orm import Session

from app.services.samples.steps import find_anchor, locate_times, make_grid
from app.storage import fed_steps, ingest_rules
from app.storage.bulk import BulkPoints, upsert_points
from app.storage.clock import now
from app.storage.engine import Database

AT_ONCE = 500
"""series that one transaction closes"""


def close_due(database: Database) -> int:
    """Close the steps whose time has come, each once however many workers do so; return how many."""
    closed = 0
    while True:
        with database.read() as session:
            due = fed_steps.list_due(session, now(session), AT_ONCE)
        if not due:
            return closed
        with database.write() as session:
            closed += _close(session, due)


def _close(session: Session, pks: list[int]) -> int:
    """Close the steps of series that are still due."""
    ingest_rules.lock_by_key(session, pks)
    steps = fed_steps.list_open(session, pks, now(session))
    rows = {row.pk: row for row in ingest_rules.load_rows(session, sorted({step.series_pk for step in steps}))}
    points = []
    for step in steps:
        row = rows[step.series_pk]
        anchor = find_anchor(row.freq, row.timezone) if row.anchor is None else row.anchor
        stamp = np.array([step.ts], np.int64)
        is_on_grid = bool(locate_times(make_grid(row.freq, row.timezone, anchor), stamp).ts[0] == step.ts)
        if is_on_grid and step.y is not None:  # else the series was given another phase since
            row.anchor = anchor
            points.append((step.series_pk, step.ts, step.y))
    if points:
        pk, ts, y = (np.array(column) for column in zip(*points, strict=True))
        found = [rows[key] for key in np.unique(pk).tolist()]
        upsert_points(session, found, BulkPoints(pk, ts, y.astype(np.float64)))
    fed_steps.close(session, steps)
    return len(steps)
