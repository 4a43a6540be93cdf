"""Archived forecasts: kept once, read as of a moment, and told first where they are scored."""

from typing import Any

import pytest

from app.storage import archive, keys, registry, series
from app.storage.engine import Database
from app.storage.pages import CursorError
from app.storage.tables import ModelRow

MADE = 1_000_000
NEWEST = 100
"""stamp of each series' last value"""


class Archive:
    """A model, two series, and what is kept of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as session:
            scope = keys.get_default_scope(session)
            fields = {"freq": "h", "timezone": "UTC", "labels": {}, "static": {}}
            series.add(session, scope, [{**fields, "id": name} for name in ("a", "b", "c")])
            rows = series.get_many(session, scope, ["a", "b", "c"])
            self.pks = {name: row.pk for name, row in rows.items()}
            for row in rows.values():
                row.last_ts = NEWEST
            self.model: ModelRow = registry.add(session, scope, "m", "h", 2, [0.5])
            self.other: ModelRow = registry.add(session, scope, "other", "h", 2, [0.5])

    def row(self, name: str, origin: int, made: int, version: int = 1, series_version: int = 1) -> dict[str, Any]:
        return {
            "model_pk": self.model.pk,
            "series_pk": self.pks[name],
            "origin": origin,
            "version": version,
            "series_version": series_version,
            "scale": 2.0,
            "forecast": {"made": made},
            "made_at": made,
        }

    def add(self, *rows: dict[str, Any]) -> int:
        with self.database.write() as session:
            return archive.add(session, rows)

    def page(self, as_of: int | None = None, ids: tuple[str, ...] = (), cursor: str | None = None, limit: int = 10):  # type: ignore[no-untyped-def]
        with self.database.read() as session:
            return archive.list_page(session, self.model, ids, as_of, cursor, limit)

    def newest(self, as_of: int | None = None, ids: tuple[str, ...] = ()) -> list[tuple[str, int]]:
        return [(row.id, told.forecast["made"]) for told, row in self.page(as_of, ids).items]

    def come_true(  # type: ignore[no-untyped-def]
        self, start: int | None = None, end: int | None = None, version: int | None = None, most=10, origins=10
    ):
        with self.database.read() as session:
            found = archive.list_observed(session, self.model, (start, end), archive.Maker(version), most, origins)
        return [(row.id, told.origin, told.forecast["made"]) for told, row in found]


@pytest.fixture
def kept(database: Database) -> Archive:
    return Archive(database)


def test_every_forecast_of_a_span_page_by_page(kept: Archive) -> None:
    kept.add(*(kept.row(name, origin, 10 * origin) for origin in (1, 2, 3, 4) for name in ("a", "b")))
    kept.add(kept.row("a", 3, 99, series_version=2))

    def read(cursor: str | None = None, as_of: int | None = None, ids: tuple[str, ...] = ("a", "b")):  # type: ignore[no-untyped-def]
        with kept.database.read() as session:
            return archive.list_every(session, kept.model, ids, as_of, (2, 4), cursor, 2)

    page = read()
    seen = [(row.id, forecast.origin, forecast.made_at) for forecast, row in page.items]
    while page.next_cursor:
        page = read(page.next_cursor)
        seen += [(row.id, forecast.origin, forecast.made_at) for forecast, row in page.items]
    assert seen == [("a", 3, 99), ("b", 3, 30), ("a", 3, 30), ("b", 2, 20), ("a", 2, 20)]
    assert [forecast.made_at for forecast, _ in read(as_of=98, ids=("a",)).items] == [30, 20]


def test_the_same_forecast_is_not_kept_twice(kept: Archive) -> None:
    assert kept.add(kept.row("a", 1, 10), kept.row("b", 1, 10)) == 2
    assert kept.add(kept.row("a", 1, 20), kept.row("c", 1, 20)) == 1
    assert kept.newest() == [("a", 10), ("b", 10), ("c", 20)]


@pytest.mark.parametrize("change", [{"origin": 2}, {"version": 2}, {"series_version": 2}])
def test_a_new_origin_version_or_history_is_another_forecast(kept: Archive, change: dict[str, int]) -> None:
    assert kept.add(kept.row("a", 1, 10)) == 1
    assert kept.add(kept.row("a", 1, 20) | change) == 1
    assert kept.newest() == [("a", 20)]


def test_many_are_added_in_parts(kept: Archive) -> None:
    rows = [kept.row("a", origin, 10) for origin in range(2 * archive.CHUNK + 3)]
    assert kept.add(*rows) == len(rows)
    assert kept.add(*rows, kept.row("b", 1, 10)) == 1
    assert kept.add() == 0


def test_what_is_read_is_what_was_known_then(kept: Archive) -> None:
    kept.add(kept.row("a", 1, 10), kept.row("b", 1, 10))
    kept.add(kept.row("a", 2, 20))
    assert kept.newest(9) == []
    assert kept.newest(10) == kept.newest(19) == [("a", 10), ("b", 10)]
    assert kept.newest(20) == kept.newest() == [("a", 20), ("b", 10)]
    assert kept.newest(ids=("b", "c")) == [("b", 10)]


def test_pages_follow_the_series_ids(kept: Archive) -> None:
    kept.add(*(kept.row(name, 1, 10) for name in ("c", "a", "b")))
    first = kept.page(limit=2)
    assert [row.id for _, row in first.items] == ["a", "b"]
    rest = kept.page(limit=2, cursor=first.next_cursor)
    assert ([row.id for _, row in rest.items], rest.next_cursor) == (["c"], None)
    with pytest.raises(CursorError):
        kept.page(cursor="nonsense")


def test_of_an_origin_what_was_told_first_is_scored(kept: Archive) -> None:
    """What was made again once values had come, or by a later champion, is not what was relied on."""
    kept.add(kept.row("a", 1, 10))
    kept.add(kept.row("a", 1, 20, series_version=2), kept.row("a", 1, 30, version=2), kept.row("b", 1, 30))
    kept.add(kept.row("a", 5, 40, version=2))
    assert kept.come_true() == [("a", 5, 40), ("a", 1, 10), ("b", 1, 30)]
    assert kept.come_true(version=2) == [("a", 5, 40), ("a", 1, 30)]
    assert kept.come_true(start=2) == [("a", 5, 40)]
    assert kept.come_true(end=5) == [("a", 1, 10), ("b", 1, 30)]
    assert kept.come_true(start=1, end=1) == []


def test_the_newest_origins_are_scored_where_there_are_too_many(kept: Archive) -> None:
    kept.add(*(kept.row("a", origin, 10) for origin in (3, 1, 4, 2)))
    assert [origin for _, origin, _ in kept.come_true(origins=2)] == [4, 3]


def test_each_origin_is_scored_on_as_many_series_as_there_is_room_for(kept: Archive) -> None:
    kept.add(*(kept.row(name, origin, 10) for origin in (1, 2) for name in "abc"))
    found = kept.come_true(most=4)
    assert [origin for _, origin, _ in found] == [2, 2, 1, 1]
    assert [name for name, _, _ in found[:2]] == [name for name, _, _ in found[2:]], "the same series of each"


def test_what_nothing_has_come_true_of_is_not_scored(kept: Archive) -> None:
    kept.add(kept.row("a", 1, 10), kept.row("a", NEWEST, 10))
    assert [origin for _, origin, _ in kept.come_true()] == [1]


def test_forecasts_of_another_model_are_its_own(kept: Archive) -> None:
    kept.add(kept.row("a", 1, 10) | {"model_pk": kept.other.pk})
    assert kept.newest() == kept.come_true() == []


def test_a_deleted_series_takes_its_forecasts_along(kept: Archive) -> None:
    kept.add(kept.row("a", 1, 10), kept.row("b", 1, 10))
    with kept.database.write() as session:
        row = series.get(session, keys.get_default_scope(session), "a")
        assert row is not None
        session.delete(row)
    assert kept.newest() == [("b", 10)]
    assert kept.come_true() == [("b", 1, 10)]
