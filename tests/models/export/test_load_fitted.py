"""A folder that was exported is a trained model again, and a damaged one is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from models.errors import BrokenVersion
from models.export.export import export
from models.export.load_fitted import load
from models.inference.published import GOLDEN, GRAPH, MANIFEST, WEIGHTS
from tests.kept import GRAPHS
from tests.trained import Trained


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "version"))


def test_it_predicts_what_the_exported_model_does(trained: Trained, folder: Path) -> None:
    loaded = load(str(folder))
    (expected,) = trained.fitted.predict(trained.panel)
    (forecast,) = loaded.predict(trained.panel)
    assert loaded.config == trained.fitted.config
    assert forecast.quantiles.tolist() == expected.quantiles.tolist()
    assert forecast.stamps.tolist() == expected.stamps.tolist()
    assert not loaded.network.training
    assert loaded.report.metrics == {}


def test_it_can_be_exported_again(folder: Path, tmp_path: Path) -> None:
    loaded = load(folder)
    export(loaded, tmp_path / "again", GRAPHS)
    again = load(tmp_path / "again").network.state_dict()
    torch.testing.assert_close(again, loaded.network.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH, GOLDEN])
def test_a_damaged_file_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BrokenVersion, match=f"{name} is not the file that was published"):
        load(folder)


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, GRAPH, GOLDEN])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BrokenVersion, match=f"{name} cannot be read"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"format": "gatecast.model.1", "sha256": 1}'])
def test_what_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BrokenVersion, match="not a manifest"):
        load(folder)


def test_a_manifest_of_another_format_or_without_the_weights_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": "gatecast.model.9"}))
    with pytest.raises(BrokenVersion, match=r"not of the format gatecast\.model\.1"):
        load(folder)
    digests = {name: digest for name, digest in manifest["sha256"].items() if name != WEIGHTS}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "sha256": digests}))
    with pytest.raises(BrokenVersion, match="weights"):
        load(folder)
