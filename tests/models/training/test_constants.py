"""Constants are forecast as themselves; zeros where training has seen that they stay."""

from typing import Any

import numpy as np
import pytest
import torch

from models.data.series import Panel
from models.data.splits import plan_spans
from models.export.export import export
from models.network.network import Network
from models.planning.defaults import default_config
from models.training.exact import measure_holds
from models.training.fit import fit
from models.training.fitted import Fitted
from models.training.sampling import window_pool
from tests.kept import GRAPHS
from tests.models.examples import random_network
from tests.models.export.test_export import REPORT

pytestmark = pytest.mark.training
LEVELS = (0.1, 0.5, 0.9)
QUICK: dict[str, Any] = {"network": {"hidden": 8}, "training": {"epochs": 1, "steps_per_epoch": 5}}


def holds(*series: np.ndarray) -> list[float]:
    """Return what is found of contexts of zeros, and of other constants."""
    panel = Panel.from_arrays({f"s{number}": y for number, y in enumerate(series)}, "D")
    config = default_config(panel, 7, LEVELS, network={"hidden": 8, "context_length": 28})
    pool = window_pool(panel.series, [s.end for s in plan_spans(panel, config)], config, torch.device("cpu"))
    assert pool is not None
    network = Network(config)
    measure_holds(network, pool)
    found: list[float] = network.holds.tolist()
    return found


def test_zeros_hold_where_nothing_else_followed_them() -> None:
    rng = np.random.default_rng(0)
    sales = rng.poisson(5.0, 200).astype(float)
    assert holds(np.concatenate([sales, np.zeros(100)])) == [1, 1], "a discontinued product"
    assert holds(sales) == [0, 1], "no zeros at all: nothing is known"
    rare = (rng.random(1500) < 0.02).astype(float)
    assert holds(rare) == [0, 1], "the quiet of a series that goes on"
    assert holds(np.concatenate([sales, np.zeros(100)]), rare) == [0, 1], "of one series among others"


def test_other_constants_hold_unless_they_were_seen_to_change() -> None:
    steps = np.repeat(np.arange(1.0, 11), 40)
    assert holds(steps) == [0, 0]
    assert holds(np.full(300, 7.0)) == [0, 1]


@pytest.mark.parametrize("value", [0.0, 42.7, -3.0, 1e15, 1e-9])
def test_a_constant_is_forecast_as_itself_without_width(value: float) -> None:
    y = np.full(120, value)
    y[[30, 31, 77, 118]] = np.nan
    panel = Panel.from_arrays({"a": y}, "D")
    (forecast,) = fit(panel, default_config(panel, 7, LEVELS, **QUICK)).predict(panel)
    assert (forecast.quantiles == value).all()


def test_a_discontinued_product_has_no_sales_to_come() -> None:
    y = np.concatenate([np.random.default_rng(1).poisson(30.0, 200), np.zeros(90)]).astype(float)
    panel = Panel.from_arrays({"a": y}, "D")
    config = default_config(panel, 7, LEVELS, **QUICK)
    fitted = fit(panel, config)
    (forecast,) = fitted.predict(panel)
    assert (forecast.quantiles == 0).all()
    (before,) = fitted.predict(panel, [190])
    assert before.yhat.min() > 10, "it sells as long as it did"


@pytest.mark.slow
def test_the_graph_holds_what_the_weights_say(tmp_path: Any) -> None:
    panel = Panel.from_arrays({"a": np.random.default_rng(0).poisson(0.4, 200).astype(float)}, "D")
    config = default_config(panel, 7, LEVELS, network={"hidden": 8})
    for zeros in (0.0, 1.0):
        network = random_network(config)
        network.holds[0] = zeros
        export(
            Fitted(config, network, REPORT), tmp_path / str(zeros), GRAPHS
        )  # compares with the network, golden zeros too
        (forecast,) = Fitted(config, network, REPORT).predict(Panel.from_arrays({"a": np.zeros(200)}, "D"))
        assert bool((forecast.quantiles == 0).all()) is (zeros == 1)
