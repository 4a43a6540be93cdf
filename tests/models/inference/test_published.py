"""Published files are read only as they were published."""

import json

import pytest

from models.errors import BrokenVersion, DamagedFile
from models.inference.published import GOLDEN, GRAPH, MANIFEST, WEIGHTS, Published, read_header, sha256_of
from tests.trained import Trained


def test_reads_what_was_published(trained: Trained) -> None:
    published = Published(trained.digest, lambda name: (trained.folder / name).read_bytes())
    assert published.config() == trained.fitted.config
    assert set(published.digests) == {WEIGHTS, GRAPH, GOLDEN}
    assert published.tolerance == 1e-4
    assert published.read(GOLDEN) == (trained.folder / GOLDEN).read_bytes()


def test_another_manifest_or_file_is_refused(trained: Trained) -> None:
    with pytest.raises(BrokenVersion, match=r"manifest\.json is not the file that was published"):
        Published("0" * 64, lambda name: (trained.folder / name).read_bytes())
    published = Published(trained.digest, lambda name: (trained.folder / MANIFEST).read_bytes())
    with pytest.raises(BrokenVersion, match=r"graph\.onnx is not the file that was published"):
        published.read(GRAPH)
    with pytest.raises(BrokenVersion, match="other is not the file that was published"):
        published.check("other", "0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "gatecast.model.9"},
        {"sha256": 1},
        {"sha256": None},
        {"sha256": [["graph.onnx", "0"]]},
        {"config": None},
        {"inputs": {"calendar": 5}},
        {"tolerance": "1"},
        {"tolerance": float("nan")},
    ],
)
def test_a_manifest_of_another_format_is_refused(trained: Trained, change: dict[str, object]) -> None:
    content = json.dumps({**json.loads((trained.folder / MANIFEST).read_bytes()), **change}).encode()
    with pytest.raises(BrokenVersion, match=r"format|not a manifest"):
        Published(sha256_of(content), lambda name: content)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        (5).to_bytes(8, "little") + b"[1,2]",
        (2).to_bytes(8, "little") + b"no",
        (20).to_bytes(8, "little") + b'{"__metadata__":[1]}',
        (20000).to_bytes(8, "little") + b"[" * 20000,
    ],
)
def test_what_is_no_safetensors_file_has_no_header(data: bytes) -> None:
    with pytest.raises(DamagedFile):
        read_header(data)


@pytest.mark.parametrize("change", [{"inputs": {}}, {"config": {"network": 1}}, {"calendar_fields": 1}])
def test_a_manifest_of_another_release_is_refused(trained: Trained, change: dict[str, object]) -> None:
    manifest = json.loads((trained.folder / MANIFEST).read_bytes())
    content = json.dumps(manifest | change).encode()
    with pytest.raises(BrokenVersion, match="made by another release"):
        Published(None, lambda name: content).config()


def test_a_manifest_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(BrokenVersion, match="not a manifest"):
        Published(None, lambda name: b"[" * 100_000)
