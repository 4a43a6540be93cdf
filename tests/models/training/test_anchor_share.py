"""The share of the smoothing models in the forecast of a few short series, which unseen windows choose."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from models.arrays import Floats
from models.data.series import Panel
from models.data.splits import plan_spans
from models.planning.defaults import default_config
from models.training.checkpoint import Checkpoint
from models.training.fit import fit
from models.training.fitted import Fitted
from tests.models.examples import LEVELS

DAYS = 400
HORIZON = 14


def make_panel(effect: float) -> tuple[Panel, Floats]:
    """Return DAYS of sales that a promotion known ahead lifts by `effect`, and those of the days after."""
    rng = np.random.default_rng(0)
    days = np.arange(DAYS + HORIZON)
    promotion = (rng.random(len(days)) < 0.2).astype(float)
    y = 100 + effect * promotion + 5 * np.sin(2 * np.pi * days / 7) + rng.normal(0, 3, len(days))
    known = np.where(days < DAYS, y, np.nan)
    start = pd.date_range("2024-01-01", periods=len(days), freq="D")
    frame = pd.DataFrame({"unique_id": "a", "ds": start, "y": known, "promotion": promotion})
    return Panel.from_frame(frame, freq="D"), y[DAYS:]


def fit_sales(panel: Panel, **network: object) -> Fitted:
    return fit(panel, default_config(panel, HORIZON, LEVELS, known_future=("promotion",), network=network or None))


def find_share(fitted: Fitted) -> float:
    return float(fitted.network.members[0].head.anchor)


def measure_error(fitted: Fitted, panel: Panel, actual: Floats) -> float:
    quantiles = fitted.quantiles(panel.series, np.array([DAYS - 1]))[0]
    return float(np.abs(quantiles[:, LEVELS.index(0.5)] - actual).mean())


@pytest.mark.slow
def test_what_a_covariate_explains_is_not_left_to_smoothing() -> None:
    panel, actual = make_panel(50)
    fitted = fit_sales(panel)
    assert find_share(fitted) == 0
    assert measure_error(fitted, panel, actual) < 8, "with smoothing alone it is 16"


@pytest.mark.slow
def test_where_nothing_is_to_be_learned_smoothing_keeps_all() -> None:
    panel, actual = make_panel(0)
    fitted = fit_sales(panel)
    assert find_share(fitted) >= 0.9
    assert measure_error(fitted, panel, actual) < 4


@pytest.mark.slow
def test_a_share_that_is_set_is_kept() -> None:
    panel, _ = make_panel(50)
    fitted = fit_sales(panel, anchor=0.7)
    assert find_share(fitted) == pytest.approx(0.7)
    assert "members.0.head.anchor" not in fitted.network.state_dict()


def test_a_resumed_training_chooses_the_same() -> None:
    panel, _ = make_panel(20)
    config = default_config(panel, HORIZON, LEVELS, known_future=("promotion",), training={"epochs": 3})
    saved: list[Checkpoint] = []
    whole = fit(panel, config, save_checkpoint=saved.append)
    for checkpoint in (saved[1], saved[-1]):
        resumed = fit(panel, config, resume=checkpoint)
        for name, value in whole.network.state_dict().items():
            assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_what_judges_a_version_has_no_say_in_its_share() -> None:
    panel, _ = make_panel(50)
    config = default_config(panel, HORIZON, LEVELS, known_future=("promotion",), training={"epochs": 2})
    gate = plan_spans(panel, config)[0].gate
    y = panel.series[0].y.copy()
    y[gate[0] + 1 :] *= 3
    changed = Panel(panel.frequency, (replace(panel.series[0], y=y),))
    first, second = (fit(one, config).gate_quantiles for one in (panel, changed))
    assert first is not None
    assert second is not None
    assert np.array_equal(first[0], second[0])
    assert not np.array_equal(first[-1], second[-1])
