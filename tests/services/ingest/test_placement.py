"""Where the rows of a series lie in time."""

import numpy as np
import pytest

from app.services.ingest.placement import Placement, Placer
from app.services.ingest.plans import SeriesPlan
from app.services.ingest.report import ImportOptions, ImportReport
from models.calendar.iso import WrittenTimes, read_times
from models.calendar.timestamps import parse_stamps

HOURS = [f"2024-01-{day:02d}T{hour:02d}:00" for day in range(1, 4) for hour in range(24)]


def make_options(freq: str | None = None, timezone: str | None = None) -> ImportOptions:
    return ImportOptions(freq, timezone, None, dry_run=False, on_error="skip", on_duplicate="error")


def place(
    placer: Placer, series_id: str, texts: list[str], stored: SeriesPlan | None = None
) -> tuple[Placement | None, WrittenTimes]:
    times = read_times(texts)
    return placer.place(series_id, stored, np.arange(1, len(texts) + 1), times), times


def test_series_of_one_calendar_share_a_placement_and_nothing_else() -> None:
    report = ImportReport(abort=False)
    placer = Placer(make_options(), report)
    one, _ = place(placer, "a", HOURS)
    other, _ = place(placer, "b", HOURS)
    assert one is not None
    assert other is not None
    assert other.stamps is one.stamps
    assert (one.plan.id, other.plan.id) == ("a", "b")
    assert (other.plan.freq, other.plan.timezone, other.plan.pk) == ("h", "UTC", None)
    assert other.plan.anchor == one.plan.anchor == one.stamps[0]


def test_a_stored_series_keeps_its_key_and_takes_an_anchor() -> None:
    placer = Placer(make_options(), ImportReport(abort=False))
    found = []
    for key in (7, 8):
        stored = SeriesPlan(f"s{key}", "h", "Europe/Berlin", None, key, 0)
        placement, _ = place(placer, f"s{key}", HOURS, stored)
        assert placement is not None
        found.append((placement.plan.pk, placement.plan.anchor))
    anchor = int(parse_stamps(["2024-01-01T00:00"], "Europe/Berlin")[0])
    assert found == [(7, anchor), (8, anchor)]


def test_rows_off_the_grid_are_rejected_for_each_series_of_a_calendar() -> None:
    report = ImportReport(abort=False)
    placer = Placer(make_options(), report)
    texts = [*HOURS, "2024-01-04T00:07"]
    for series_id in ("a", "b"):
        placement, _ = place(placer, series_id, texts)
        assert placement is not None
        assert placement.good is not None
        assert placement.good.tolist() == [True] * len(HOURS) + [False]
    assert report.rejected == 2
    assert [error.code for error in report.errors] == ["off_grid", "off_grid"]


def test_an_order_that_does_not_ascend_is_said() -> None:
    placer = Placer(make_options("h"), ImportReport(abort=False))
    placement, _ = place(placer, "a", HOURS[::-1])
    assert placement is not None
    assert placement.good is not None
    assert placement.good.all()


@pytest.mark.parametrize("stored", [None, SeriesPlan("a", "h", "UTC", None, 1, 0)])
def test_a_frequency_that_suits_no_row_places_none(stored: SeriesPlan | None) -> None:
    report = ImportReport(abort=False)
    placer = Placer(make_options("15min" if stored is not None else "W-SUN"), report)
    placement, _ = place(placer, "a", ["2024-01-01T00:00", "2024-01-02T00:00", "2024-01-03T00:00"], stored)
    assert placement is None
    assert report.rejected == 3
