"""Reading an exported folder back as a trained model, for users of the library."""

import json
from pathlib import Path
from typing import Any

from models.errors import CheckpointError
from models.export.load import MANIFEST, WEIGHTS, load_weights
from models.inference.published import FORMAT, sha256_of
from models.training.fitted import Fitted
from models.training.report import Report

NO_REPORT = Report(
    loss_curve={},
    metrics={},
    selected_steps=0,
    epochs_trained=0,
    gate=None,
    seconds=0.0,
    windows_per_second=0.0,
)
"""Report of a model that was loaded: a folder holds the network, not the course of its training"""


def load(folder: Path | str) -> Fitted:
    """Return the trained model that `export` wrote into `folder`; it predicts the same as the one that was exported.

    Every file is compared with its digest in the manifest. The model's report is empty, because a folder holds none.

    Raises CheckpointError for a folder that is incomplete, damaged or of another format.
    """
    manifest = _read_manifest(Path(folder))
    files = {name: _read(Path(folder), name) for name in (WEIGHTS, *manifest["sha256"])}
    for name, data in files.items():
        if sha256_of(data) != manifest["sha256"].get(name):
            raise CheckpointError(f"{name} is not the file that was exported")
    network = load_weights(files[WEIGHTS])
    return Fitted(network.config, network, NO_REPORT)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_read(folder, MANIFEST))
        if manifest["format"] != FORMAT:
            raise CheckpointError(f"{MANIFEST} is not of the format {FORMAT}")
        dict(manifest["sha256"])  # a mapping, or an error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as e:
        raise CheckpointError(f"{MANIFEST} is not a manifest of an exported model ({e})") from e
    return manifest


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as e:
        raise CheckpointError(f"{folder / name} cannot be read ({e.strerror})") from e
