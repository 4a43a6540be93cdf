"""Cleaning of contexts: gaps are filled and outliers clipped by what the context itself holds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.config.cleaning import CleaningConfig
from models.data.cleaning import clean_contexts, count_cleaned, find_limits, refuse_incomplete
from models.data.series import Panel
from models.data.windows import assemble, cut_contexts
from models.planning.defaults import default_config

N = np.nan
LINEAR = CleaningConfig(gaps="linear")
SEASON = CleaningConfig(gaps="season")
CLIP = CleaningConfig(outliers="clip")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1, N, N, 4], [1, 2, 3, 4]),
        ([N, 1, N, 3], [N, 1, 2, 3]),  # nothing before the first value: the series may not have begun
        ([1, N, 3, N], [1, 2, 3, N]),  # the line of the last gap would end after the origin
        ([N, N, N, N], [N, N, N, N]),
        ([5, N, N, N], [5, N, N, N]),
    ],
)
def test_a_line_is_drawn_between_values_of_the_context(before: list[float], after: list[float]) -> None:
    np.testing.assert_array_equal(clean_contexts(np.array([before]), LINEAR, 1), [after])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1, 10, 2, N, 3, 30], [1, 10, 2, 20, 3, 30]),  # between the seasons around
        ([1, 10, 2, 20, 3, N], [1, 10, 2, 20, 3, 20]),  # the season before, where none follows
        ([1, N, 2, 20, 3, 30], [1, 20, 2, 20, 3, 30]),
        ([N, N, 2, 20, 3, N], [N, N, 2, 20, 3, 20]),  # nothing before the first value
        ([7, 1, N, 2, N, 3, N], [7, 1, 7, 2, 7, 3, 7]),  # a context of no whole seasons
        ([1, N, 3, N, 5, N], [1, 2, 3, 4, 5, N]),  # of a phase that was never observed, the line
    ],
)
def test_a_gap_takes_the_phase_of_the_seasons_around(before: list[float], after: list[float]) -> None:
    np.testing.assert_allclose(clean_contexts(np.array([before]), SEASON, 2), [after])


def test_each_context_is_cleaned_by_itself() -> None:
    rows = np.array([[1, N, 3.0], [10, N, 30.0], [N, 5, N]])
    np.testing.assert_array_equal(clean_contexts(rows, LINEAR, 1), [[1, 2, 3], [10, 20, 30], [N, 5, N]])


def wave(seasons: int = 8) -> np.ndarray[Any, np.dtype[np.float64]]:
    t = np.arange(24 * seasons)
    return 20 + 6 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(0).normal(0, 0.5, len(t))


def test_a_value_far_from_its_phase_is_moved_to_the_limit() -> None:
    y = wave()
    spoiled = y.copy()
    spoiled[100] = 1000.0
    spoiled[30] = -1000.0
    (cleaned,) = clean_contexts(spoiled[None], CLIP, 24)
    low, high = find_limits(spoiled[None], 24)
    assert (cleaned[100], cleaned[30]) == (high[0, 100], low[0, 30])
    assert abs(cleaned[100] - y[100]) < 8
    kept = np.delete(np.arange(len(y)), [30, 100])
    np.testing.assert_array_equal(cleaned[kept], y[kept])


def test_what_comes_back_every_season_is_no_outlier() -> None:
    y = wave()
    y[12::24] += 500.0
    np.testing.assert_array_equal(clean_contexts(y[None], CLIP, 24), y[None])


@pytest.mark.parametrize(
    "y",
    [
        np.full(60, 3.0),
        np.where(np.arange(60) % 7 == 0, 50.0, 0.0),  # demand that is mostly zero has no limits
        np.array([1.0, 2, 3, 1000, N, N, N, N]),  # too few values
        np.arange(60.0) ** 2,
        np.full(60, N),
    ],
)
def test_ordinary_contexts_are_not_clipped(y: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(clean_contexts(y[None], CLIP, 7), y[None])


def test_an_outlier_is_clipped_before_a_line_is_drawn_to_it() -> None:
    y = wave()
    y[100] = 1e6
    y[101] = N
    both = clean_contexts(y[None], CleaningConfig(gaps="linear", outliers="clip"), 24)[0]
    assert both[101] == pytest.approx((both[100] + y[102]) / 2)
    assert both[101] < 60


def test_nothing_is_copied_where_nothing_is_cleaned() -> None:
    y = wave()[None]
    assert clean_contexts(y, CleaningConfig(), 24) is y
    assert clean_contexts(y, SEASON, 24) is y  # no gap


def gapped(gaps: str = "linear", **more: Any) -> tuple[Panel, Any]:
    y = wave(20)
    y[200:206] = N
    panel = Panel.from_arrays({"a": y, "b": wave(20)}, freq="h")
    return panel, default_config(panel, 12, network={"context_length": 48}, cleaning={"gaps": gaps, **more})


@pytest.mark.parametrize("gaps", ["linear", "season"])
@pytest.mark.parametrize("origin", [203, 206, 220])
def test_a_context_sees_nothing_after_its_origin(gaps: str, origin: int) -> None:
    panel, config = gapped(gaps, outliers="clip")
    series = panel.series[0]
    later = series.y.copy()
    later[origin + 1 :] = 1e5
    contexts = [cut_contexts([replace(series, y=y)], np.array([origin]), config) for y in (series.y, later)]
    np.testing.assert_array_equal(*contexts)
    cut = cut_contexts([replace(series, y=series.y[: origin + 1])], np.array([origin]), config)
    np.testing.assert_array_equal(cut, contexts[0])


def test_a_line_begins_when_its_gap_has_ended() -> None:
    panel, config = gapped()
    y = panel.series[0].y
    inside = assemble(panel.series[:1], np.array([203]), config)["y"][0]
    assert np.isnan(inside[-4:]).all()
    after = assemble(panel.series[:1], np.array([206]), config)["y"][0]
    np.testing.assert_allclose(after[-7:], np.linspace(y[199], y[206], 8)[1:])


def test_what_is_cleaned_is_counted_once_a_step() -> None:
    panel, config = gapped(outliers="clip")
    panel.series[1].y[77] = 1e4
    counts = count_cleaned(panel, config)
    assert counts.filled == {"a": 6, "b": 0}
    assert counts.clipped == {"a": 0, "b": 1}


def test_series_with_more_gaps_than_may_be_filled_are_refused_with_the_reason() -> None:
    panel, config = gapped(max_filled=0.01)
    kept, refused = refuse_incomplete(panel.series, config.cleaning)
    assert [series.id for series in kept] == ["b"]
    assert refused == {
        "a": "6 of 480 steps are missing (1.2%), and cleaning.max_filled allows 1.0%; raise it, or send gaps: leave"
    }
    assert refuse_incomplete(panel.series, CleaningConfig(max_filled=0.01))[1] == {}  # nothing is filled
    assert refuse_incomplete(panel.series, CleaningConfig(gaps="linear", max_filled=6 / 480))[1] == {}
