"""Parsers of what trainings leave: manifests, weights and checkpoints."""

import json
from functools import lru_cache
from random import Random
from typing import Any

from benchmarks.fuzzing_inputs import change_value, write_json
from benchmarks.fuzzing_run import Target, always
from models.errors import BrokenVersion, CheckpointError, DamagedFile
from models.inference.published import MANIFEST, Published
from models.training.checkpoint import Checkpoint


def read_manifest(data: bytes) -> None:
    """Read the manifest of a folder of files, of which nothing is known before."""
    published = Published(None, {MANIFEST: data}.__getitem__)
    published.config()
    dict(published.digests)
    assert published.tolerance >= 0
    published.check("graph.onnx", "0")


def make_config() -> Any:
    """Return the configuration of a small network."""
    from models.planning.defaults import default_config_for_lengths

    options = {"hidden": 4, "context_length": 24, "segment": 6, "season_lengths": [], "lookbacks": []}
    return default_config_for_lengths("h", 4, (0.1, 0.5, 0.9), [200], options, {"epochs": 1})


def make_manifest_seeds() -> list[bytes]:
    """Return manifests of a version."""
    config = make_config()
    names = {name: ["batch", 24] for name in config.graph_inputs} | {"calendar": ["batch", 28, 5]}
    manifest = {
        "format": "gatecast.model.1",
        "config": config.to_dict(),
        "inputs": names,
        "outputs": {"quantiles": ["batch", 4, 3]},
        "dtypes": dict.fromkeys(names, "float64"),
        "calendar_fields": ["second_of_day", "day_of_week", "day_of_month", "day_of_year", "holiday"],
        "tolerance": 1e-4,
        "sha256": {"graph.onnx": "0", "golden.safetensors": "1"},
        "versions": {"torch": "2"},
    }
    return [json.dumps(manifest).encode(), b"{}"]


def build_manifest(random: Random) -> bytes:
    """Return the manifest of a version, of which a part is another."""
    return write_json(change_value(random, json.loads(make_manifest_seeds()[0])))


def build_header(random: Random, data: bytes) -> bytes:
    """Return a file of safetensors with another header, a part of whose metadata may be other JSON."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    inner = next((name for name in ("config", "record") if name in header.get("__metadata__", {})), None)
    if inner is not None and random.random() < 0.7:
        changed = change_value(random, json.loads(header["__metadata__"][inner]))
        header["__metadata__"][inner] = json.dumps(changed)
    else:
        header = change_value(random, header)
    written = write_json(header)
    return len(written).to_bytes(8, "little") + written + data[8 + size :]


def build_weights(random: Random) -> bytes:
    """Return the weights of a version with another header."""
    return build_header(random, _get_weights())


@lru_cache(maxsize=1)
def _get_weights() -> bytes:
    return make_weights_seeds()[0]


def build_checkpoint(random: Random) -> bytes:
    """Return a checkpoint with another header."""
    return build_header(random, random.choice(make_checkpoint_seeds()))


def read_weights(data: bytes) -> None:
    """Read the weights of a version into a network."""
    from models.export.load import load_weights

    load_weights(data)


def make_weights_seeds() -> list[bytes]:
    """Return the weights of a small network."""
    from safetensors.torch import save

    from models.inference.published import FORMAT
    from models.network.network import Network

    config = make_config()
    network = Network(config)
    header = {"format": FORMAT, "config": json.dumps(config.to_dict())}
    return [save({name: value.contiguous() for name, value in network.state_dict().items()}, header)]


def make_checkpoint_seeds() -> list[bytes]:
    """Return checkpoints."""
    import numpy as np

    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(0, np.int64)}
    state = {"state": {"name": "select", "epochs_before": 0, "epoch": 1}}
    return [Checkpoint(state, arrays).to_bytes(), Checkpoint({}, {}).to_bytes()]


def read_checkpoint(data: bytes) -> None:
    """Read a checkpoint, which is written so that it is read again."""
    read = Checkpoint.from_bytes(data)
    assert Checkpoint.from_bytes(read.to_bytes()).record == read.record


TARGETS = (
    Target("manifests", always(read_manifest), make_manifest_seeds, (BrokenVersion,), build_manifest, is_text=False),
    Target(
        "weights", always(read_weights), make_weights_seeds, (DamagedFile,), build_weights, is_text=False, most_mb=256
    ),
    Target(
        "checkpoints",
        always(read_checkpoint),
        make_checkpoint_seeds,
        (CheckpointError,),
        build_checkpoint,
        is_text=False,
    ),
)
"""parsers of a version's files"""
