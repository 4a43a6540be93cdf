"""The artifact store, on a local folder and on a store that only knows whole objects."""

import uuid
from pathlib import Path

import pytest

from app.storage.artifacts import BLOCK, ArtifactError, ArtifactMissing, ArtifactStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path}/a b" if request.param == "file" else f"memory://{uuid.uuid4().hex}")


def test_round_trip_and_removal(store: ArtifactStore) -> None:
    store.put("1/models/2/x/weights", b"\x00\x01")
    store.put("1/models/2/x/weights", b"\x02")
    store.put("1/models/2/y/weights", b"other")
    assert store.get("1/models/2/x/weights") == b"\x02"
    store.remove("1/models/2/x")
    with pytest.raises(ArtifactError, match="cannot read 1/models/2/x/weights"):
        store.get("1/models/2/x/weights")
    assert store.get("1/models/2/y/weights") == b"other"
    store.remove("1/never/was")


def test_blocks_are_bounded(store: ArtifactStore) -> None:
    data = bytes(range(256)) * (BLOCK // 128) + b"rest"
    store.put("a/b", data)
    blocks = list(store.blocks("a/b"))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= BLOCK
    with pytest.raises(ArtifactMissing, match="cannot read a/c"):
        list(store.blocks("a/c"))


def test_check(store: ArtifactStore) -> None:
    store.check()


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    store = ArtifactStore(f"file://{tmp_path}")
    store.put("a/b", b"x" * 1000)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]
