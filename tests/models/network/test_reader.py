"""What a reader lets its callers set, and what it lacks by configuration."""

import numpy as np
import pytest
import torch

from models.network.network import Network
from tests.models.examples import small


def network_of(**network: object) -> Network:
    return Network(small(6, context_length=24, segment=12, season_lengths=[], **network))


def test_what_is_set_is_what_candidates_forecast_with() -> None:
    (reader,) = network_of(statistical=2, linear=True).readers
    maps = np.random.default_rng(0).standard_normal((24, 6, 2))
    weight = torch.randn_like(reader.linear.weight)
    reader.set_pooled(maps)
    reader.set_ridge(weight)
    np.testing.assert_allclose(reader.gated.pooled.reshape(24, 6, 2), maps, rtol=1e-6)
    assert torch.equal(reader.linear.weight, weight)


def test_what_the_configuration_leaves_out_is_named() -> None:
    (plain,) = network_of().readers
    with pytest.raises(ValueError, match=r"network\.linear"):
        _ = plain.linear
    (bare,) = network_of(basis=False).readers
    with pytest.raises(ValueError, match=r"network\.basis"):
        _ = bare.gated


def test_readers_and_members_are_lists_of_one_type() -> None:
    network = network_of(lookbacks=[24, 12, 24])
    assert network.reader_indices == [0, 1, 0]
    assert [type(reader).__name__ for reader in network.readers] == ["Reader"] * 2
    assert network.readers[-1] is list(network.readers)[1]
