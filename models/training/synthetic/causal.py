"""Series that are causes and effects of each other in a random graph, after CauKer.

Shapes: N series, L steps, G graphs, V nodes of a graph.
"""

from collections.abc import Callable

import numpy as np

from models.arrays import Floats, Ints
from models.training.synthetic.family import SeriesFamily
from models.training.synthetic.kernels import draw_composed
from models.training.synthetic.sizes import standardise

NODES = 6
"""of a graph"""
MOST_PARENTS = 3
"""of a node that is no root"""
ROOTS = 2
"""nodes without parents, the first ones; a judgement"""
MOST_KERNELS = 7
"""of the Gaussian process of a root"""
EDGES = ("identity", "relu", "sigmoid", "sine", "modulo", "leaky")
"""what an effect makes of its causes, each with the same probability"""
LEAK = 0.1
"""slope below zero of the leaky one; a judgement"""
TREND = 2.0
"""standard deviation of the total rise of a root's mean, in those of the root; a judgement"""
ANOMALY_RATE = 0.01
"""steps of a mean with anomalies that have one; a judgement"""
ANOMALY_SIZE = 3.0
"""standard deviation of such anomalies, in those of the root; a judgement"""
NOISE = 0.02
"""standard deviation of noise of an effect, in its own, without which one cut off at zero may be constant; a
judgement"""


def draw_means(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw means (N, L) of roots: zero, a line, an exponential, or rare anomalies."""
    kind = rng.integers(4, size=count)
    ramp = np.linspace(0, 1, length)
    means = np.zeros((count, length))
    means[kind == 1] = ramp
    rate = rng.uniform(1, 5, (int((kind == 2).sum()), 1))
    means[kind == 2] = np.expm1(rate * ramp) / np.expm1(rate)
    means *= TREND * rng.standard_normal((count, 1))
    rare = rng.random((int((kind == 3).sum()), length)) < ANOMALY_RATE
    means[kind == 3] = rare * ANOMALY_SIZE * rng.standard_normal(rare.shape)
    return means


def apply_edges(kinds: Ints, causes: Floats) -> Floats:
    """Apply functions, an index of `EDGES` a graph (G,), to the causes (G, L) of a node."""
    effects = causes.copy()
    functions: dict[str, Callable[[Floats], Floats]] = {
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": lambda x: 1 / (1 + np.exp(-np.clip(x, -30, 30))),
        "sine": np.sin,
        "modulo": lambda x: np.mod(x, 1.0),
        "leaky": lambda x: np.where(x > 0, x, LEAK * x),
    }
    for name, function in functions.items():
        rows = np.flatnonzero(kinds == EDGES.index(name))
        effects[rows] = function(causes[rows])
    return effects


def draw_graphs(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw all nodes of graphs: (G, V, L), each with variance one; parents of a node come before it."""
    nodes = np.empty((count, NODES, length))
    roots = draw_composed(rng, count * ROOTS, length, MOST_KERNELS)
    roots = standardise(roots) + draw_means(rng, count * ROOTS, length)
    nodes[:, :ROOTS] = standardise(roots).reshape(count, ROOTS, length)
    for node in range(ROOTS, NODES):
        parents = 1 + rng.integers(min(MOST_PARENTS, node), size=(count, 1))
        order = np.argsort(rng.random((count, node)), 1).argsort(1)
        weights = rng.standard_normal((count, node)) * (order < parents)
        causes = np.einsum("gv,gvl->gl", weights, nodes[:, :node]) + rng.standard_normal((count, 1))
        effects = standardise(apply_edges(rng.integers(len(EDGES), size=count), causes))
        nodes[:, node] = standardise(effects + NOISE * rng.standard_normal(effects.shape))
    return nodes


def generate_effects(rng: np.random.Generator, count: int, length: int) -> Floats:
    """Draw series (N, L), the two last effects of each graph: those have most causes behind them."""
    graphs = draw_graphs(rng, -(-count // 2), length)
    return graphs[:, -2:].reshape(-1, length)[:count]


CAUSAL_FAMILY = SeriesFamily("causal graphs", 0.02, 0.02, generate_effects)
