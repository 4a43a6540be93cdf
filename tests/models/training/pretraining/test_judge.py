"""What a pretraining is judged by: unseen families, and training rows alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.export.pretrained import load_published
from models.training.pretraining.judge import JudgedWindows, draw_unseen, judge, read_real


def test_test_rows_are_never_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 2000)
    for name, changed in (("a", 0.0), ("b", 1e9)):
        (tmp_path / name).mkdir()
        values = np.concatenate([y, np.full(500, changed)])
        split = ["train"] * 2000 + ["test"] * 500
        frame = pd.DataFrame({"unique_id": "s", "y": values, "split": split})
        frame.to_parquet(tmp_path / name / "bike_sharing.parquet")
    first, second = (read_real(tmp_path / name) for name in ("a", "b"))
    assert list(first) == ["bike_sharing"]
    assert np.array_equal(first["bike_sharing"].contexts, second["bike_sharing"].contexts, equal_nan=True)
    assert np.array_equal(first["bike_sharing"].actual, second["bike_sharing"].actual)


def test_errors_are_shares_of_season_naives() -> None:
    """A wave with noise: season-naive misses the noise of two days, and the network that of one."""
    rng = np.random.default_rng(0)
    steps = np.arange(536)
    y = np.sin(2 * np.pi * steps / 24) + rng.normal(0, 0.2, (40, 536))
    windows = JudgedWindows(y[:, :512], y[:, 512:], 24, np.tile([24, 0], (40, 1)))
    mase, wql = judge(load_published(), windows)
    assert 0.65 < mase < 0.95
    assert 0.45 < wql < mase


@pytest.mark.training
def test_unseen_families_are_forecast_better_than_by_the_last_value() -> None:
    mase, wql = judge(load_published(), draw_unseen(0))
    assert mase < 1
    assert wql < mase
