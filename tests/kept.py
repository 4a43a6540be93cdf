"""What tests keep from run to run in an ignored folder, each thing under a digest of the code that made it."""

from pathlib import Path

from models.export.graph_cache import GraphCache

KEPT = Path(__file__).parents[1] / ".pytest_cache" / "gatecast"
"""removed by `make clean`"""
GRAPHS = GraphCache(KEPT / "graphs", 1 << 30)
