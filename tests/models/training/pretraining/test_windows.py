"""The batches of a pretraining."""

import numpy as np
import pytest

from models.network.pretrained.network import PretrainedConfig
from models.training.pretraining.plan import CONTEXTS, PretrainingPlan, measure_span, measure_window
from models.training.pretraining.windows import make_batches

PLAN = PretrainingPlan(steps=6, segments=256, network=PretrainedConfig(width=16, inner=16, blocks=1))


@pytest.mark.slow
def test_batches_are_the_same_wherever_one_begins() -> None:
    whole = list(make_batches(PLAN, 0))
    assert len(whole) == 6
    for first in (3, 5):
        later = next(make_batches(PLAN, first))
        assert np.array_equal(later.y, whole[first].y, equal_nan=True)
        assert np.array_equal(later.periods, whole[first].periods)
        assert np.array_equal(later.segments, whole[first].segments)
    for batch in whole:
        span = measure_span(batch.known)
        assert batch.known in CONTEXTS
        assert batch.y.shape == (PLAN.count_windows(batch.known), measure_window(batch.known, 64))
        assert (batch.segments >= batch.known // 8 - 1).all()
        assert ((batch.segments + 1) * 8 <= batch.known + span).all()
        assert (batch.origins <= (batch.segments + 1) * 8).all()
        assert batch.blank[0] * 8 >= batch.known or batch.blank[0] == batch.blank[1]
        assert np.isfinite(batch.y[:, -64:]).any(1).all()
        assert batch.periods.max() <= batch.known // 2
