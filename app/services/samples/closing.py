"""Closing the last steps of series into which nothing more has come: then they are observations like all others."""

import numpy as np
from sqlalchemy.orm import Session

from app.services.samples.steps import find_anchor, make_grid
from app.storage import fed_steps, ingest_rules
from app.storage.bulk import BulkPoints, upsert_points
from app.storage.clock import now
from app.storage.engine import Database

AT_ONCE = 500
"""series that one transaction closes"""


def close_due(database: Database) -> int:
    """Close the steps whose time has come, each once however many workers do so; return how many."""
    closed = 0
    while True:  # a transaction each, so that others can write in between
        with database.read() as session:
            due = fed_steps.list_due(session, now(session), AT_ONCE)
        if not due:
            return closed
        with database.write() as session:
            closed += _close(session, due)


def _close(session: Session, pks: list[int]) -> int:
    """Close the steps of series that are still due."""
    rows = ingest_rules.lock_by_key(session, pks)
    steps = fed_steps.list_open(session, pks, now(session))
    points = []
    for step in steps:
        row = rows[step.series_pk]
        if row.anchor is None:  # all its observations were deleted
            row.anchor = find_anchor(row.freq, row.timezone)
        is_on_grid = make_grid(row.freq, row.timezone, row.anchor).locate(np.array([step.ts], np.int64))[1][0]
        if is_on_grid and step.y is not None:  # else it was given another phase or frequency since
            points.append((step.series_pk, step.ts, step.y))
    if points:
        pk, ts, y = zip(*points, strict=True)
        found = BulkPoints(np.array(pk, np.int64), np.array(ts, np.int64), np.array(y, np.float64))
        upsert_points(session, list(rows.values()), found)
    fed_steps.close(session, steps)
    return len(steps)
