"""Published networks read back into torch, without the packages that write and run graphs."""

import json
from collections.abc import Callable

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from models.config.model import Config
from models.errors import BrokenVersion
from models.inference.published import FORMAT, WEIGHTS, Published, read_header
from models.network.network import Network


def load_published(digest: str, read: Callable[[str], bytes]) -> Network:
    """Return the network of a version whose manifest has the sha256 `digest`; `read` returns a file by its name.

    Raises BrokenVersion for files that are not those that were published.
    """
    return load_weights(Published(digest, read).read(WEIGHTS))


def load_weights(weights: bytes) -> Network:
    """Return the network of a version's weights file, in evaluation mode. Raises BrokenVersion."""
    try:
        header = read_header(weights)
        if header.get("format") != FORMAT:
            raise BrokenVersion(f"{WEIGHTS} is not of the format {FORMAT}")
        network = Network(Config.from_dict(json.loads(header["config"])))
        network.load_state_dict(load_tensors(weights))
    except BrokenVersion:
        raise
    except (KeyError, RuntimeError, SafetensorError, ValueError) as e:  # the engine's own are ValueErrors
        raise BrokenVersion(f"{WEIGHTS} does not fit its own configuration ({e})") from e
    return network.eval()
