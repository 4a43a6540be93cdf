"""Reading what `models.export.export` wrote back into torch, without the packages that write and run graphs."""

import json
from collections.abc import Callable

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from models.config.model import Config
from models.errors import CheckpointError, ConfigError
from models.inference.published import FORMAT, read_header, sha256_of
from models.network.network import Network

WEIGHTS, GRAPH, GOLDEN, MANIFEST = "weights.safetensors", "graph.onnx", "golden.safetensors", "manifest.json"


def load_published(digest: str, read: Callable[[str], bytes]) -> Network:
    """Return the network of a folder whose manifest has the sha256 `digest`; `read` returns a file's bytes by name.

    Raises CheckpointError for files that are not those that were published.
    """
    manifest = read(MANIFEST)
    if sha256_of(manifest) != digest:
        raise CheckpointError(f"{MANIFEST} is not the file that was published")
    weights = read(WEIGHTS)
    if sha256_of(weights) != json.loads(manifest)["sha256"][WEIGHTS]:
        raise CheckpointError(f"{WEIGHTS} is not the file that was published")
    return load_weights(weights)


def load_weights(weights: bytes) -> Network:
    """Return the network of an exported folder's weights, in evaluation mode. Raises CheckpointError."""
    header = read_header(weights)
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{WEIGHTS} is not of the format {FORMAT}")
    try:
        network = Network(Config.from_dict(json.loads(header["config"])))
        network.load_state_dict(load_tensors(weights))
    except (ConfigError, KeyError, ValueError, RuntimeError, SafetensorError) as e:
        raise CheckpointError(f"{WEIGHTS} does not fit its own configuration ({e})") from e
    return network.eval()
