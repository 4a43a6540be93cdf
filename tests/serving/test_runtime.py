"""What a loaded version keeps."""

import sys

from app.serving.runtime import load_version
from models.inference.published import GRAPH
from tests.trained import Trained


def test_a_loaded_version_does_not_keep_the_graphs_bytes(trained: Trained) -> None:
    graph = (trained.folder / GRAPH).read_bytes()
    before = sys.getrefcount(graph)
    version = load_version(
        trained.digest, lambda name: graph if name == GRAPH else (trained.folder / name).read_bytes()
    )
    assert sys.getrefcount(graph) == before
    assert version.size > len(graph)
