"""The files of the pretrained network that the package carries."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.errors import BrokenVersion

DATA = Path(__file__).with_name("data")
GRAPH = "network.onnx"
WEIGHTS = "weights.safetensors"
CONFIG = "made.json"
HISTORY = "log.jsonl"
CARD = "card.md"


@lru_cache(maxsize=1)
def read_made() -> dict[str, Any]:
    """Return how the network was made: sizes, seed, steps, windows, hours, and the digest of its graph."""
    made: dict[str, Any] = json.loads((DATA / CONFIG).read_text())
    return made


def read_graph() -> bytes:
    """Return the graph. Raises BrokenVersion where it is not the one that was published."""
    graph = (DATA / GRAPH).read_bytes()
    if hashlib.sha256(graph).hexdigest() != read_made()["sha256"]:
        raise BrokenVersion("the pretrained network was damaged: its digest differs; install the package again")
    return graph
