"""What tests keep from run to run in an ignored folder, each thing under a digest of the code that made it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.export.graph_cache import GraphCache

KEPT = Path(__file__).parents[1] / ".pytest_cache" / "gatecast"
"""removed by `make clean`"""
GRAPHS = GraphCache(KEPT / "graphs", 1 << 30)


@contextmanager
def alone() -> Iterator[None]:
    """Let one of the processes that run tests work at a time, so that the others find in GRAPHS what it has traced."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
