"""The rows of benchmarks.zero_shot: nothing after an origin is known, and errors are shares of season-naive's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.zero_shot import measure
from benchmarks.zero_shot_rows import JudgedWindow, ZeroShotRow, read_windows

ROW = ZeroShotRow("made", "made", "H", 24, 12, (24,), fine=True)


def test_windows_lie_in_the_test_rows(tmp_path: Path) -> None:
    y = np.arange(300.0)
    frame = pd.DataFrame({"unique_id": "a", "y": y, "split": ["train"] * 240 + ["test"] * 60})
    frame.to_parquet(tmp_path / "made.parquet")
    windows = read_windows(ROW, tmp_path, 10)
    assert [window.actual[0] for window in windows] == [240, 252, 264, 276, 288]
    for window in windows:
        assert window.history[-1] == window.actual[0] - 1
        assert len(window.actual) == 12


def test_season_naive_itself_has_a_share_of_one() -> None:
    y = np.random.default_rng(0).normal(0, 1, 84)
    window = JudgedWindow(y[:72], y[72:])
    repeated = np.repeat(y[48:60][:, None], 9, axis=1)
    score = measure(ROW, [window], [repeated])
    assert score.mase == pytest.approx(1)
    assert score.wql == pytest.approx(1)
