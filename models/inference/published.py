"""A published version on disk: names, manifest, digests."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from models.errors import CheckpointError

FORMAT = "gatecast.model.1"


def sha256_of(data: bytes) -> str:
    """Return the digest of a file's content, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What lies in a model's folder."""

    format: str
    config: dict[str, Any]
    """`Config.to_dict()`"""
    inputs: dict[str, list[str | int]]
    """name -> shape; `batch` is free"""
    outputs: dict[str, list[str | int]]
    dtypes: dict[str, str]
    """NumPy's name of the type of each input and output"""
    calendar_fields: list[str]
    """columns of the input `calendar`, in order: zero-based integers on the local wall clock"""
    tolerance: float
    """largest difference from the golden vectors, in units of `golden/scale`"""
    sha256: dict[str, str]
    """file -> digest"""
    versions: dict[str, str]
    """package -> version that wrote the folder"""


def read_header(data: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file. Raises CheckpointError."""
    size = int.from_bytes(data[:8], "little")  # the format: eight bytes of length, then a JSON header
    try:
        found: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except (ValueError, AttributeError) as e:
        raise CheckpointError(f"not a readable safetensors file ({e})") from e
    return found
