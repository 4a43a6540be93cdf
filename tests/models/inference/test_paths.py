"""Sample paths: each step's spread is the forecast's, and the steps hang together as earlier errors did."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.inference.means import compute_mean
from models.inference.paths import (
    LEAST_TEMPLATES,
    PRIOR_CORRELATION,
    PRIOR_TEMPLATES,
    ErrorTemplates,
    PathSampler,
    build_quantile_weights,
    build_templates,
    find_normal_scores,
    find_ranks,
)

Floats = NDArray[np.float64]
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
NORMAL = np.array([-1.2816, -0.6745, 0.0, 0.6745, 1.2816])
H, K, N = 12, 64, 1000


def spread(scale: Any = 1.0) -> Floats:
    """Return normal quantiles (Q, H)."""
    return NORMAL[:, None] * np.broadcast_to(scale, H)


def templates_of(correlation: float, seed: int = 0, count: int = K) -> ErrorTemplates:
    """Return templates of steps that go on from the one before by a correlation."""
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal((count, H))
    for step in range(1, H):
        errors[:, step] = correlation * errors[:, step - 1] + np.sqrt(1 - correlation**2) * errors[:, step]
    return build_templates(np.arange(count), np.broadcast_to(NORMAL, (count, H, 5)), errors, LEVELS)


def draw(templates: dict[str, ErrorTemplates], name: str = "a", count: int = N, seed: int = 0) -> Floats:
    return PathSampler(templates, count, H, seed).draw(name, spread(), LEVELS)


def test_quantiles_of_paths_are_those_of_the_forecast() -> None:
    scale = np.linspace(1, 3, H)
    paths = PathSampler({"a": templates_of(0.9)}, N, H, 0).draw("a", spread(scale), LEVELS)
    assert paths.shape == (N, H)
    np.testing.assert_allclose(np.quantile(paths, LEVELS, axis=0), spread(scale), atol=0.01)


def test_mean_of_paths_is_that_of_the_quantiles() -> None:
    skewed = np.exp(spread())
    paths = PathSampler({}, 100_000, H, 0).draw("a", skewed, LEVELS)
    np.testing.assert_allclose(paths.mean(axis=0), compute_mean(skewed, LEVELS), rtol=1e-4)


def test_equal_seeds_give_equal_paths_and_others_do_not() -> None:
    one = {"a": templates_of(0.5)}
    np.testing.assert_array_equal(draw(one, seed=3), draw(one, seed=3))
    assert not np.array_equal(draw(one, seed=3), draw(one, seed=4))


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_steps_hang_together_as_earlier_errors_did(correlation: float) -> None:
    lags = np.abs(np.subtract.outer(range(H), range(H)))
    learned, assumed = ((one**lags).sum() for one in (correlation, PRIOR_CORRELATION))  # variances of a sum of H steps
    share = PRIOR_TEMPLATES / (PRIOR_TEMPLATES + K)
    expected = (1 - share) * learned + share * assumed
    drawn = [draw({"a": templates_of(correlation, seed)}) for seed in range(8)]
    spreads = [paths.sum(axis=1).var() / paths[:, 0].var() for paths in drawn]
    assert np.mean(spreads) == pytest.approx(expected, rel=0.12)


def test_series_that_err_together_do_so_in_paths() -> None:
    shared, other = templates_of(0.5), templates_of(0.5, seed=9)

    def correlate(of_b: ErrorTemplates) -> float:
        sampler = PathSampler({"a": shared, "b": of_b}, N, H, 0)
        a, b = (sampler.draw(name, spread(), LEVELS)[:, 0] for name in "ab")
        return float(np.corrcoef(a, b)[0, 1])

    assert correlate(shared) > 0.85
    assert abs(correlate(other)) < 0.25


def test_templates_of_other_times_are_not_taken_for_shared_ones() -> None:
    one = templates_of(0.5)
    later = ErrorTemplates(one.stamps + K, one.scores)
    sampler = PathSampler({"a": one, "b": later}, N, H, 0)
    a, b = (sampler.draw(name, spread(), LEVELS)[:, 0] for name in "ab")
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.75


def test_too_few_templates_are_not_believed() -> None:
    few = templates_of(-0.9, count=LEAST_TEMPLATES - 1)
    assert draw({"a": few}).sum(axis=1).var() > 2 * H  # assumed to go on erring
    assert draw({"a": templates_of(-0.9)}).sum(axis=1).var() < H


def test_order_of_a_draw_is_that_of_its_paths() -> None:
    templates = {"a": templates_of(0.5)}
    paths = PathSampler(templates, N, H, 1).draw("a", spread(), LEVELS)
    order = PathSampler(templates, N, H, 1).draw_order("a")
    np.testing.assert_array_equal(np.argsort(np.argsort(paths, axis=0), axis=0), order)


def test_ranks_lie_between_levels_in_tails_and_in_the_middle_of_ties() -> None:
    quantiles = np.array([0.0, 0.0, 0.0, 1.0, 3.0])
    actuals = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 30.0, np.nan])
    ranks = find_ranks(np.broadcast_to(quantiles, (7, 5)), actuals, LEVELS)
    np.testing.assert_allclose(ranks[:5], [0.25, 0.625, 0.75, 0.825, 0.9])
    assert 0.99 < ranks[5] < 1
    assert np.isnan(ranks[6])
    below = find_ranks(NORMAL, np.array(-1.2816 - 0.6071 / np.log(2.5) * np.log(2)), LEVELS)
    assert below == pytest.approx(0.05, rel=1e-3)


def test_ranks_and_quantile_weights_are_inverse() -> None:
    weights = build_quantile_weights(LEVELS, 200)
    values = weights @ NORMAL
    assert (np.diff(values) > 0).all()
    ranks = find_ranks(np.broadcast_to(NORMAL, (200, 5)), values, LEVELS)
    np.testing.assert_allclose(ranks, (np.arange(200) + 0.5) / 200, atol=1e-9)


@pytest.mark.parametrize("levels", [(0.5,), (0.5, 0.9), (0.1, 0.5), (0.1, 0.3, 0.5)])
def test_levels_on_one_side_are_mirrored(levels: tuple[float, ...]) -> None:
    quantiles = np.array([10.0 + 4 * (level - 0.5) for level in levels])
    values = build_quantile_weights(levels, 1000) @ quantiles
    assert np.median(values) == pytest.approx(10, abs=0.01)
    np.testing.assert_allclose(values + values[::-1], 20, atol=1e-9)
    if len(levels) > 1:
        np.testing.assert_allclose(np.quantile(values, levels), quantiles, atol=0.02)


def test_missing_outcomes_are_taken_for_typical_ones_and_unknown_forecasts_are_left_out() -> None:
    actuals = np.zeros((4, H))
    actuals[1, :5] = np.nan
    actuals[2, :7] = np.nan
    templates = build_templates(np.arange(4), np.broadcast_to(NORMAL, (4, H, 5)), actuals, LEVELS)
    assert templates.stamps.tolist() == [0, 1, 3]
    assert np.isfinite(templates.scores).all()


def test_normal_scores_are_decided_by_order_alone() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_array_equal(find_normal_scores(values), find_normal_scores(np.exp(values)))
    tied = find_normal_scores(np.array([[1.0], [1.0], [2.0]]))
    assert tied[0] == tied[1] < tied[2]


def test_no_earlier_forecast_gives_no_template() -> None:
    none = build_templates(np.empty(0, np.int64), np.empty((0, H, 5)), np.empty((0, H)), LEVELS)
    assert len(none) == 0
    assert draw({"a": none}).shape == (N, H)
