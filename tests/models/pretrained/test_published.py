"""The files that the package carries."""

import json
from pathlib import Path

import pytest

from models.errors import BrokenVersion
from models.pretrained import published
from models.pretrained.published import CARD, CONFIG, DATA, GRAPH, HISTORY, WEIGHTS, read_graph, read_made

MOST_BYTES = 6_000_000


def test_they_are_small_and_say_how_they_were_made() -> None:
    assert sum((DATA / name).stat().st_size for name in (GRAPH, WEIGHTS, HISTORY, CONFIG, CARD)) < MOST_BYTES
    made = read_made()
    assert made["done"] > 0
    assert made["windows"] > 0
    assert len(read_graph()) > 100_000
    lines = [json.loads(line) for line in (DATA / HISTORY).read_text().splitlines()]
    runs = made.get("runs", [made])  # each began with the weights of the one before
    assert lines[-1]["step"] == runs[-1]["steps"]
    assert sum(run["windows"] for run in runs) == made["windows"]
    assert sum(run["steps"] for run in runs) == made["done"]
    for word in ("synthetic", "licence", "seed"):
        assert word in (DATA / CARD).read_text().lower()


def test_a_damaged_graph_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (GRAPH, CONFIG):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    damaged = bytearray((tmp_path / GRAPH).read_bytes())
    damaged[1000] ^= 1
    (tmp_path / GRAPH).write_bytes(damaged)
    monkeypatch.setattr(published, "DATA", tmp_path)
    with pytest.raises(BrokenVersion, match="digest differs"):
        read_graph()
