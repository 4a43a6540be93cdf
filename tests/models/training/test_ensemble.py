"""Ensembles: the mean of members that each read their own stretch of the context."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.config.model import Config
from models.data.windows import Batch, assemble, inputs_of
from models.errors import ConfigError
from models.network.network import Network
from models.training.fitted import runner_of
from tests.models.examples import GATED, covariate_panel, hourly, random_network, rich, small, window

LOOKBACKS = (48, 24, 12)


def ensemble(**network: object) -> Network:
    """Return three members of other lookbacks, whose scales differ much, without corrections for coverage."""
    config = rich(covariate_panel(), **{"lookbacks": list(LOOKBACKS), **network})
    found = random_network(config)
    with torch.no_grad():
        found.added.zero_()
        found.widened.fill_(1.0)
    return found


def batch_of(config: Config) -> Batch:
    panel = covariate_panel(80, 3)
    batch = assemble(panel.series, np.array([60, 70, 79]), config)
    batch["y"] *= np.geomspace(1, 30, batch["y"].shape[1])  # the last steps lie far above the first
    return batch


def alone(network: Network, number: int) -> Network:
    """Return one member as a network of its own."""
    config = network.config
    own = Network(dataclasses.replace(config, network=config.network.members[number]))
    own.members[0].load_state_dict(network.members[number].state_dict())
    own.readers[0].load_state_dict(network.readers[network.reader_indices[number]].state_dict())
    return own.eval()


def answer(network: Network, batch: Batch) -> NDArray[np.float64]:
    """Return raw quantiles in original units, unsorted as the members give them."""
    tensors = {name: torch.from_numpy(one) for name, one in inputs_of(batch, network.config).items()}
    with torch.no_grad():
        context, quantiles = network.forecast_scaled(**tensors)
    return (quantiles * context.scale[..., None] + context.loc[..., None]).numpy()


def test_forecasts_are_the_mean_of_the_members_in_original_units() -> None:
    network = ensemble()
    batch = batch_of(network.config)
    members = []
    for number, length in enumerate(LOOKBACKS):
        cut = Batch(
            y=batch["y"][:, -length:],
            calendar=batch["calendar"][:, 48 - length :],
            covariates=batch["covariates"][:, 48 - length :],
            static=batch["static"],
        )
        members.append(answer(alone(network, number), cut))
    spread = np.std(members, axis=0).max()
    expected = np.sort(np.mean(members, axis=0), axis=-1)
    np.testing.assert_allclose(runner_of(network)(batch), expected, atol=1e-5 * batch["y"].std())
    assert spread > 0.05 * batch["y"].std()


def test_scaling_a_member_scales_its_share() -> None:
    network = random_network(small(12, context_length=48, segment=12, lookbacks=[48, 12], scaler="mean_abs"))
    low, high = window(hourly(48), network.config), window(hourly(48) * 1e6, network.config)
    run = runner_of(network)
    np.testing.assert_allclose(run(high), 1e6 * run(low), rtol=1e-5)


@pytest.mark.parametrize("number", range(3))
def test_a_member_sees_its_own_tail_alone(number: int) -> None:
    network = ensemble()
    batch, length = batch_of(network.config), LOOKBACKS[number]
    older = Batch(**{name: values.copy() for name, values in batch.items()})  # type: ignore[typeddict-item]
    older["y"][:, : 48 - length] = 1e9
    older["calendar"][:, : 48 - length] = 0
    older["covariates"][:, : 48 - length] = np.nan
    tensors = [
        [torch.from_numpy(one[name]) for name in ("y", "calendar", "covariates", "static")] for one in (batch, older)
    ]
    with torch.no_grad():
        same, changed = (network.forecast_member(number, *one)[1].quantiles for one in tensors)
        longest = [network.forecast_member(0, *one)[1].quantiles for one in tensors]
    assert torch.equal(same, changed)
    assert length == 48 or not torch.equal(*longest)


def test_members_begin_with_other_weights() -> None:
    network = Network(small(context_length=48, segment=12, lookbacks=[48, 48], **GATED))
    first, second = (member.encoder.cell.weight_ih_l0 for member in network.members)
    assert first.shape == second.shape
    assert not torch.equal(first, second)


@pytest.mark.parametrize("lookbacks", [[30], [96], [0], [12] * 33])
def test_lookbacks_are_segments_of_the_context(lookbacks: list[int]) -> None:
    with pytest.raises(ConfigError) as caught:
        small(context_length=48, segment=12, lookbacks=lookbacks)
    assert caught.value.field == "network.lookbacks"
