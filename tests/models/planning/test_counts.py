"""Panels of counts: which they are, and what their networks are like."""

import numpy as np

from models.data.series import Panel
from models.planning.defaults import default_config
from models.planning.values import is_intermittent, is_whole

RNG = np.random.default_rng(0)
RARE = RNG.poisson(0.4, 84).astype(float)


def test_whole_panels_hold_whole_numbers_alone() -> None:
    gaps = np.where(np.arange(84) % 9 == 0, np.nan, RARE)
    assert is_whole(Panel.from_arrays({"a": RARE, "b": gaps}, "MS"))
    assert not is_whole(Panel.from_arrays({"a": RARE, "b": RARE + 0.5}, "MS"))


def test_intermittent_panels_are_mostly_zero_but_not_all() -> None:
    assert is_intermittent(Panel.from_arrays({"a": RARE}, "MS"))
    assert not is_intermittent(Panel.from_arrays({"a": RARE + 3}, "MS"))
    assert not is_intermittent(Panel.from_arrays({"a": 0.5 * RARE}, "MS"))
    assert not is_intermittent(Panel.from_arrays({"a": np.zeros(84)}, "MS"))


def test_few_rare_counts_are_read_as_a_level_and_what_is_set_by_hand_stays() -> None:
    panel = Panel.from_arrays({"a": RARE}, "MS")
    few = default_config(panel, 12).network
    assert (few.basis, few.season_lengths, few.context_length) == (False, (), 42)
    for network in ({"ets": True}, {"context_length": 24}, {"segment": 3}, {"lookbacks": [24]}, {"linear": True}):
        chosen = default_config(panel, 12, network=network).network
        assert chosen.basis
        assert chosen.anchor == 0
    many = Panel.from_arrays({f"s{number}": RARE for number in range(40)}, "MS")
    chosen = default_config(many, 12).network
    assert (chosen.basis, chosen.anchor, chosen.ets) == (True, 0.0, True)
    dense = default_config(Panel.from_arrays({"a": RARE + 3}, "MS"), 12).network
    assert dense.anchor > 0
