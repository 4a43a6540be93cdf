"""What is read of many series, and no more than is asked for; `test_bulk_read.py` has the values themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sqlalchemy import event

from app.storage import bulk, bulk_read, covariates, keys, observations, series
from app.storage.bulk import BulkPoints, BulkValues
from app.storage.engine import Database
from app.storage.tables import SeriesRow

FIELDS: dict[str, Any] = {"freq": "h", "timezone": "UTC", "labels": {}, "static": {}}
N = 50


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are run."""
    found: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            found.append(statement)

    event.listen(database.engine, "before_cursor_execute", keep)
    yield found
    event.remove(database.engine, "before_cursor_execute", keep)


def filled(database: Database, count: int) -> list[SeriesRow]:
    """Make series with ten steps of values and covariates each, the last value missing."""
    ts = np.arange(10, dtype=np.int64)
    with database.write() as session:
        scope = keys.get_default_scope(session)
        rows = series.add(session, scope, [{"id": f"{i:03}", **FIELDS} for i in range(count)])
        temp = covariates.add_covariate(session, scope, "temp", "numeric")
        day = covariates.add_covariate(session, scope, "day", "categorical")
        for row in rows:
            pk = np.full(10, row.pk)
            bulk.upsert_points(session, [row], BulkPoints(pk, ts, np.where(ts < 9, ts + row.pk, np.nan)))
            bulk.upsert_values(session, temp, BulkValues(pk, ts, np.array([np.nan, *ts[1:]])))
            days = np.array(["x", None, "y", "x", "z"], object)
            bulk.upsert_values(session, day, BulkValues(pk[::2], ts[::2], days))
    return rows


def test_many_series_at_once(database: Database) -> None:
    rows = filled(database, N)
    with database.read() as session, statements(database) as run:
        scope = keys.get_default_scope(session)
        points = bulk_read.load_points(session, {row.pk: (3, 5) for row in rows})
        known = covariates.get_covariates(session, scope, ["temp", "day"])
        found = bulk_read.load_covariate_points(session, {row.pk: (0, 6) for row in rows}, list(known.values()))
        run.clear()
        assert observations.find_last_observed(session, rows, 100) == {row.pk: 8 for row in rows}
        assert len(run) == 1
    for row in rows:
        assert points[row.pk].ts.tolist() == [3, 4, 5]
        assert points[row.pk].y.tolist() == [row.pk + t for t in (3, 4, 5)]
        temp, day = found[row.pk]["temp"], found[row.pk]["day"]
        assert dict(zip(temp.ts.tolist(), temp.values.tolist(), strict=True))[6] == 6.0
        assert (len(temp.ts), temp.values.dtype, np.isnan(temp.values).sum()) == (6, np.float64, 0)
        assert dict(zip(day.ts.tolist(), day.values.tolist(), strict=True)) == {0: "x", 4: "y", 6: "x"}


def test_each_series_has_its_own_span(database: Database) -> None:
    one, two, three = filled(database, 3)
    spans = {one.pk: (0, 1), two.pk: (8, 20), three.pk: (50, 60)}
    with database.read() as session:
        known = covariates.get_covariates(session, keys.get_default_scope(session), ["temp"])
        points = bulk_read.load_points(session, spans)
        found = bulk_read.load_covariate_points(session, spans, list(known.values()))
    assert [points[row.pk].ts.tolist() for row in (one, two, three)] == [[0, 1], [8, 9], []]
    assert sorted(found[two.pk]["temp"].ts.tolist()) == [8, 9]
    assert found[three.pk] == {}


def test_the_last_value_before_a_time(database: Database) -> None:
    (row,) = filled(database, 1)
    with database.read() as session:
        for at, wanted in ((9, 8), (8, 8), (5, 5), (0, 0)):
            assert observations.find_last_observed(session, [row], at) == {row.pk: wanted}
        assert observations.find_last_observed(session, [row], -1) == {}
