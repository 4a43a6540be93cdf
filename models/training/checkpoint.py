"""Checkpoints: named arrays in safetensors and a JSON record in its header; never a pickle. No torch."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from models.errors import CheckpointError
from models.inference.published import read_header

FORMAT = "gatecast.checkpoint.1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run between two epochs."""

    record: Mapping[str, Any]
    """plain JSON: configuration, phase, counters, curves"""
    arrays: Mapping[str, NDArray[Any]]
    """weights, optimiser and generator states"""

    @property
    def position(self) -> dict[str, Any]:
        """The position that a training stopped at: `phase`, and `epoch` counted over both phases."""
        state = self.record["state"]
        return {"phase": state["name"], "epoch": state["epochs_before"] + state["epoch"]}

    def to_bytes(self) -> bytes:
        """Return one safetensors file."""
        record = json.dumps(dict(self.record), allow_nan=False)
        arrays = {name: np.asarray(value, order="C") for name, value in self.arrays.items()}
        header = {"format": FORMAT, "record": record, "sha256": _digest(record, arrays)}
        return save_arrays(arrays, metadata=header)

    @staticmethod
    def from_bytes(data: bytes) -> "Checkpoint":
        """Read `to_bytes`. Raises CheckpointError."""
        try:
            header = read_header(data)
            arrays = load_arrays(data)
        except (SafetensorError, ValueError) as e:
            raise CheckpointError(f"not a readable checkpoint ({e})") from e
        if header.get("format") != FORMAT:
            raise CheckpointError(f"not a checkpoint of the format {FORMAT}")
        if header.get("sha256") != _digest(header.get("record", ""), arrays):
            raise CheckpointError("the checkpoint was damaged: its digest does not match")
        return Checkpoint(json.loads(header["record"]), arrays)

    def save(self, path: Path) -> None:
        """Write the file so that a reader sees the old one or the whole new one."""
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(self.to_bytes())
        os.replace(partial, path)

    @staticmethod
    def load(path: Path) -> "Checkpoint":
        """Read `save`. Raises CheckpointError, also where there is no file."""
        try:
            return Checkpoint.from_bytes(path.read_bytes())
        except OSError as e:
            raise CheckpointError(f"the checkpoint cannot be read ({e})") from e


def _digest(record: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of the record and of each array's name, type, shape and bytes."""
    digest = hashlib.sha256(record.encode())
    for name in sorted(arrays):
        value = arrays[name]
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
