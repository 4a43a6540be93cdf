"""The point forecast by how present each input is."""

import numpy as np
import torch
from torch import Tensor

from models.data.windows import Batch, assemble, inputs_of
from models.explain.masking import MaskedForecast
from models.network.network import Network
from tests.models.examples import covariate_panel, random_network, rich


def network_and_batch(**network: object) -> tuple[Network, Batch]:
    panel = covariate_panel(80, 3)
    config = rich(panel, **network)
    return random_network(config), assemble(panel.series, np.array([60, 70, 79]), config)


def masked_forecast(network: Network, batch: Batch, **masks: float) -> tuple[MaskedForecast, Tensor]:
    """Return the forecast (B, H) with masks of one value an input, 1 where none is named."""
    names = network.config.inputs
    arrays = [torch.from_numpy(values) for values in inputs_of(batch, network.config).values()]
    inputs = dict(zip(names, arrays, strict=True))
    given = [torch.full(inputs[name].shape, masks.get(name, 1.0)) for name in names if name != "calendar"]
    masked = MaskedForecast(network)
    with torch.no_grad():
        return masked, masked(*given, *arrays)


def test_a_mask_of_ones_gives_the_forecast() -> None:
    network, batch = network_and_batch(lookbacks=[48, 24])
    tensors = {name: torch.from_numpy(values) for name, values in inputs_of(batch, network.config).items()}
    with torch.no_grad():
        context, quantiles = network.forecast_scaled(**tensors)
    expected = quantiles[..., network.median] * context.scale + context.loc
    torch.testing.assert_close(masked_forecast(network, batch)[1], expected)


def test_what_is_masked_moves_nothing() -> None:
    network, batch = network_and_batch(lookbacks=[48, 24])
    before = masked_forecast(network, batch, covariates=0.0, static=0.0)[1]
    changed = Batch(**{**batch, "covariates": batch["covariates"] + 1.0, "static": batch["static"] + 1.0})
    missing = np.isnan(changed["covariates"])
    assert (np.isnan(batch["covariates"]) == missing).all()
    after = masked_forecast(network, changed, covariates=0.0, static=0.0)[1]
    torch.testing.assert_close(after, before)
    assert not torch.allclose(masked_forecast(network, changed)[1], masked_forecast(network, batch)[1])


def test_the_shares_of_each_step_sum_to_one() -> None:
    network, batch = network_and_batch(lookbacks=[48, 24])
    masked, forecast = masked_forecast(network, batch)
    weights = torch.stack([weight for _, weight, _ in masked.shares().average(0, forecast.shape[1])])
    torch.testing.assert_close(weights.sum(0), torch.ones_like(weights[0]))


def test_without_a_basis_there_are_no_shares() -> None:
    gated = {"ets": False, "anchor": 0.0, "linear": False, "smoothing": 0, "statistical": 0}
    network, batch = network_and_batch(basis=False, **gated)
    masked, forecast = masked_forecast(network, batch)
    assert not list(masked.shares().average(0, forecast.shape[1]))


def test_the_calibrated_forecast_has_its_share() -> None:
    panel = covariate_panel(400, 2)
    network = random_network(rich(panel, context_length=192, ets=False, anchor=0.0, calibrated=True))
    batch = assemble(panel.series, np.array([24 * 14, 24 * 14 + 5]), network.config)  # the first horizon begins at one
    masked, forecast = masked_forecast(network, batch)
    for row, share in ((0, 0.5), (1, 0.0)):
        found = list(masked.shares().average(row, forecast.shape[1]))
        weights = {label: weight for label, weight, _ in found}
        torch.testing.assert_close(torch.stack([*weights.values()]).sum(0), torch.ones(12, dtype=torch.float64))
        torch.testing.assert_close(weights["calibrated"], torch.full((12,), share, dtype=torch.float64))
    with torch.no_grad():
        tensors = {name: torch.from_numpy(values) for name, values in inputs_of(batch, network.config).items()}
        context, quantiles = network.forecast_scaled(**tensors)
    torch.testing.assert_close(forecast, quantiles[..., network.median] * context.scale + context.loc)
