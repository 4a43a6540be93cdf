"""Scalers: what they return, and their floor."""

import numpy as np
import pytest

from models.network.scalers import SCALERS


def scale(name: str, y: list[float]) -> tuple[float, float]:
    values = np.array([y])
    observed = (~np.isnan(values)).astype(np.float64)
    recency = 0.5 ** np.arange(len(y))[::-1].astype(np.float64)
    loc, size = SCALERS[name](np.nan_to_num(values), observed, recency)
    assert loc.shape == size.shape == (1, 1)
    return float(loc[0, 0]), float(size[0, 0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("standard", (2.0, 1.0)),
        ("mean_abs", (0.0, 2.0)),
        ("recent", (2.6, (1 + 0.36) ** 0.5)),
        ("none", (0.0, 1.0)),
    ],
)
def test_by_hand_and_blind_to_gaps(name: str, expected: tuple[float, float]) -> None:
    assert scale(name, [1.0, np.nan, 3.0]) == pytest.approx(expected)


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("y", [[np.nan] * 3, [0.0] * 3])
def test_scale_is_one_where_there_is_nothing_to_scale(name: str, y: list[float]) -> None:
    assert scale(name, y) == (0.0, 1.0)


@pytest.mark.parametrize("constant", [1e-9, 5.0, -1e12])
@pytest.mark.parametrize("name", ["standard", "recent"])
def test_constant_context_has_the_floor(name: str, constant: float) -> None:
    loc, size = scale(name, [constant] * 4)
    assert loc == pytest.approx(constant)
    assert size == pytest.approx(1e-6 * abs(constant))
