"""Checkpoints: exact round trip, and nothing damaged is accepted."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import CheckpointError
from models.training.checkpoint import Checkpoint

CHECKPOINT = Checkpoint(
    {"step": 3, "loss": [0.1, 1 / 3], "none": None},
    {
        "w": np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32),
        "rng": np.arange(5, dtype=np.uint8),
        "count": np.array(7, np.int64),
    },
)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    CHECKPOINT.save(tmp_path / "a")
    found = Checkpoint.load(tmp_path / "a")
    assert found.record == CHECKPOINT.record
    assert set(found.arrays) == {"w", "rng", "count"}
    for name, value in CHECKPOINT.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], value)
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (value.dtype, value.shape)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_every_flipped_byte_is_refused() -> None:
    data = CHECKPOINT.to_bytes()
    for at in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[at] ^= 1
        try:
            found = Checkpoint.from_bytes(bytes(damaged))
        except CheckpointError:
            continue
        # padding of the header is the only place that carries nothing
        assert found.record == CHECKPOINT.record
        assert all(np.array_equal(found.arrays[n], v) for n, v in CHECKPOINT.arrays.items())


@pytest.mark.parametrize("data", [b"", b"nonsense", CHECKPOINT.to_bytes()[:-1], CHECKPOINT.to_bytes() + b"x"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.from_bytes(data)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        Checkpoint.load(tmp_path / "none")


def test_a_record_that_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Checkpoint({"loss": float("nan")}, {}).to_bytes()
