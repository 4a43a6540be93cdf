"""Graphs from templates: any weights fit, whatever made the template; what does not fit is traced anew."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from models.config.model import Config
from models.errors import GraphError
from models.export.export import export
from models.export.graph import put_weights, template_key, trace
from models.export.graph_cache import GraphCache
from models.inference.golden import golden_batch
from models.inference.published import GRAPH
from models.network.network import Network
from models.training.fitted import Fitted
from tests.kept import GRAPHS
from tests.models.examples import covariate_panel, random_network, rich, small
from tests.models.export.test_export import CONFIGS, REPORT, fitted

pytestmark = pytest.mark.training


@dataclass
class Memory:
    """Templates in memory, and what was done with them."""

    kept: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def get(self, key: str) -> bytes | None:
        self.calls.append("get")
        return self.kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.calls.append("put")
        self.kept[key] = data

    def remove(self, key: str) -> None:
        self.calls.append("remove")
        self.kept.pop(key, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_a_template_takes_any_weights(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    export(fitted(config), tmp_path / "first", GRAPHS)
    template = GRAPHS.get(template_key(config))
    assert template is not None
    memory = Memory({template_key(config): template})
    torch.manual_seed(0)
    for network in (random_network(config, 2), Network(config).eval()):  # a fresh one is full of zeros
        export(Fitted(config, network, REPORT), tmp_path / "again", memory)  # raises where the answers differ
    assert memory.calls == ["get", "get"], "nothing was traced"


@pytest.fixture(scope="module")
def config() -> Config:
    return small(3, context_length=12, segment=6, season_lengths=[], basis=False)


@pytest.mark.slow
def test_the_template_does_not_know_whose_weights_it_was_traced_with(config: Config) -> None:
    zeros, other = Network(config).eval(), random_network(config, 3)
    for parameter in zeros.parameters():
        parameter.data.zero_()  # equal constants must not be taken for one
    graphs = [put_weights(trace(one, golden_batch(config)), other.state_dict()) for one in (zeros, other)]
    assert graphs[0] == graphs[1]


@pytest.fixture(scope="module")
def good(config: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A template, and the graph that was made of it."""
    memory, folder = Memory(), tmp_path_factory.mktemp("good")
    export(fitted(config), folder, memory)
    assert memory.calls == ["get", "put"]
    return memory.kept[template_key(config)], (folder / GRAPH).read_bytes()


@pytest.mark.parametrize("spoiled", ["truncated", pytest.param("another network's", marks=pytest.mark.slow)])
def test_a_template_that_does_not_fit_is_traced_again(
    config: Config, good: tuple[bytes, bytes], spoiled: str, tmp_path: Path
) -> None:
    template, graph = good
    other = random_network(small(3, context_length=12, segment=4, season_lengths=[], hidden=8, basis=False))
    found = template[:-50] if spoiled == "truncated" else trace(other, golden_batch(other.config))
    memory = Memory({template_key(config): found})
    export(fitted(config), tmp_path, memory)
    assert memory.calls == ["get", "remove", "put"]
    assert memory.kept == {template_key(config): template}
    assert (tmp_path / GRAPH).read_bytes() == graph


@pytest.mark.parametrize("nonsense", [b"", b"\xff" * 99, b"PK\x03\x04"])
def test_nonsense_is_no_template(config: Config, nonsense: bytes) -> None:
    with pytest.raises(GraphError, match="cannot be made from its template"):
        put_weights(nonsense, random_network(config).state_dict())


def test_weights_of_another_shape_are_refused(config: Config, good: tuple[bytes, bytes]) -> None:
    weights = random_network(config).state_dict()
    name = next(name for name in weights if name.endswith("weight_ih_l0"))
    with pytest.raises(GraphError, match=name):
        put_weights(good[0], {**weights, name: weights[name][:-1]})


def test_the_key_holds_what_the_graph_depends_on() -> None:
    panel = covariate_panel()
    config = rich(panel, 12)
    plain = template_key(config)
    longer = replace(config.training, epochs=77, steps_per_epoch=3, seed=5, learning_rate=1e-4, weighting="relative")
    assert template_key(replace(config, training=longer)) == plain
    mixed = replace(config, nonnegative=True, signed=("cold",))
    assert template_key(mixed) == template_key(replace(mixed, signed=("cold", "colder")))
    others = [
        mixed,
        replace(config, horizon=13),
        replace(config, bounds=(None, 99.0)),
        replace(config, nonnegative=not config.nonnegative),
        replace(config, quantiles=(0.2, 0.5, 0.9)),
        replace(config, network=replace(config.network, hidden=config.network.hidden + 8)),
        replace(config, training=replace(config.training, loss="huber")),
    ]
    assert len({plain, *map(template_key, others)}) == 1 + len(others)


def test_the_longest_unused_template_goes_first(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path / "graphs", 100)
    cache.put("a", b"a" * 40)
    cache.put("b", b"b" * 40)
    for path in (tmp_path / "graphs").iterdir():
        os.utime(path, (1, 1))
    assert (cache.get("a"), cache.has("b")) == (b"a" * 40, True)
    cache.put("c", b"c" * 40)
    assert [cache.get(key) for key in "abc"] == [b"a" * 40, None, b"c" * 40]
    cache.put("d", b"d" * 101)
    assert not cache.has("d")
    cache.remove("c")
    assert cache.get("c") is None


def test_a_folder_that_cannot_be_used_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = GraphCache(tmp_path / "file" / "graphs", 100)
    cache.put("a", b"a")
    cache.remove("a")
    assert (cache.get("a"), cache.has("a")) == (None, False)
