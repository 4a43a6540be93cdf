"""Contexts in whole segments."""

import numpy as np
import pytest

from models.pretrained.contexts import LONGEST, REACH, SEGMENT, lay_out


@pytest.mark.parametrize("length", [1, 7, 8, 9, 1000, 5000])
@pytest.mark.parametrize("horizon", [1, 64, 65, 200])
def test_the_newest_values_end_a_segment(length: int, horizon: int) -> None:
    y = np.arange(float(length))[None]
    found, segments = lay_out(y, horizon)
    kept = min(length, LONGEST)
    end = (int(segments[0]) + 1) * SEGMENT
    assert found.shape[1] % SEGMENT == 0
    assert found[0, end - kept : end].tolist() == y[0, -kept:].tolist()
    assert np.isnan(found[0, end:]).all()
    assert np.isnan(found[0, : end - kept]).all()
    assert len(segments) * REACH >= horizon > (len(segments) - 1) * REACH
    assert (int(segments[-1]) + 1) * SEGMENT == found.shape[1]
