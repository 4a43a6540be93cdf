"""Causal graphs: edges, means of roots, and effects that depend on their causes."""

import numpy as np
import pytest

from models.training.synthetic.causal import EDGES, NODES, apply_edges, draw_graphs, draw_means


def test_edges_are_their_functions() -> None:
    causes = np.tile([-1.5, 0.0, 2.25], (len(EDGES), 1))
    effects = dict(zip(EDGES, apply_edges(np.arange(len(EDGES)), causes), strict=True))
    assert effects["identity"].tolist() == [-1.5, 0, 2.25]
    assert effects["relu"].tolist() == [0, 0, 2.25]
    assert effects["sigmoid"] == pytest.approx([0.18243, 0.5, 0.90465], abs=1e-5)
    assert effects["sine"] == pytest.approx(np.sin([-1.5, 0, 2.25]))
    assert effects["modulo"].tolist() == [0.5, 0, 0.25]
    assert effects["leaky"] == pytest.approx([-0.15, 0, 2.25])
    assert causes[1].tolist() == [-1.5, 0, 2.25]


def test_means_of_roots_are_of_four_kinds() -> None:
    means = draw_means(np.random.default_rng(0), 2000, 400)
    steps = np.diff(means, axis=1)
    zero = (means == 0).all(1)
    line = ~zero & (np.ptp(steps, axis=1) < 1e-9)
    grows = ~zero & ~line & ((steps > 0).all(1) | (steps < 0).all(1))
    rare = ~zero & (np.mean(means == 0, axis=1) > 0.9)
    for kind in (zero, line, grows, rare):
        assert kind.mean() == pytest.approx(0.25, abs=0.04)


def test_nodes_have_variance_one_and_effects_follow_from_their_causes() -> None:
    nodes = draw_graphs(np.random.default_rng(0), 300, 512)
    assert nodes.shape == (300, NODES, 512)
    assert nodes.std(2) == pytest.approx(np.ones((300, NODES)), abs=1e-6)
    related = np.array([np.abs(np.corrcoef(graph)) for graph in nodes])
    # the third node has a root as its cause, of another graph it has none
    foreign = np.abs(np.mean(nodes[1:, 2] * nodes[:-1, 0], axis=1))
    assert np.median(np.maximum(related[:, 2, 0], related[:, 2, 1])) > 0.6
    assert np.median(foreign) < 0.3
