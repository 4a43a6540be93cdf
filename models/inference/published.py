"""A published version on disk: a folder of four files, of which the manifest names the format and each digest.

Whoever reads a version reads it through `Published`, which checks each file against what was published.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.calendar.features import CALENDAR_FIELDS
from models.config.model import Config
from models.errors import BrokenVersion, ConfigError, DamagedFile

FORMAT = "gatecast.model.1"
WEIGHTS = "weights.safetensors"
GRAPH = "graph.onnx"
GOLDEN = "golden.safetensors"
MANIFEST = "manifest.json"
"""written last: a folder without it is not a version"""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Table of contents of a version's folder."""

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


class Published:
    """A version's files, each checked against its published digest when it is read."""

    def __init__(self, digest: str | None, read: Callable[[str], bytes]) -> None:
        """Read the manifest.

        Args:
            digest: sha256 of the manifest, as it was published; None for a folder of which only its files are known.
            read: returns a file's content by its name.

        Raises BrokenVersion where the manifest is another one, or none of this format.
        """
        self._read = read
        self.manifest = read(MANIFEST)
        """its bytes, as they were published"""
        if digest is not None:
            _check_digest(MANIFEST, sha256_of(self.manifest), digest)
        self._manifest = _parse_manifest(self.manifest)

    @property
    def digests(self) -> Mapping[str, str]:
        """Digest of each file besides the manifest."""
        digests: Mapping[str, str] = self._manifest["sha256"]
        return digests

    @property
    def tolerance(self) -> float:
        """Largest difference from the golden vectors, in units of their scale."""
        tolerance: float = self._manifest["tolerance"]
        return tolerance

    def config(self) -> Config:
        """Return the configuration. Raises BrokenVersion for a version of another release."""
        try:
            config = Config.from_dict(self._manifest["config"])
        except ConfigError as e:
            raise BrokenVersion(f"it was made by another release: {e}") from e
        inputs = self._manifest["inputs"]
        ours = list(CALENDAR_FIELDS)
        fields = self._manifest.get("calendar_fields", ours)  # older manifests do not name them
        reads_ours = set(inputs) == set(config.graph_inputs) and inputs["calendar"][-1:] == [len(ours)]
        if not reads_ours or fields != ours:
            raise BrokenVersion("it was made by another release, whose graph reads other inputs")
        return config

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises BrokenVersion where it is not what was published."""
        content = self._read(name)
        self.check(name, sha256_of(content))
        return content

    def check(self, name: str, digest: str) -> None:
        """Raise BrokenVersion unless a file of this digest was published under this name."""
        _check_digest(name, digest, self.digests.get(name))


def _parse_manifest(content: bytes) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads(content)
        if manifest["format"] != FORMAT:
            raise BrokenVersion(f"{MANIFEST} is not of the format {FORMAT}")
        _check_fields(manifest)
    except BrokenVersion:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as e:
        raise BrokenVersion(f"{MANIFEST} is not a manifest of a published version ({e})") from e
    return manifest


def _check_fields(manifest: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError for a field that is missing or of another kind."""
    for name in ("config", "inputs", "sha256"):
        if not isinstance(manifest[name], dict):
            raise TypeError(f"{name} is no object")
    if not all(isinstance(shape, list) for shape in manifest["inputs"].values()):
        raise TypeError("inputs has a shape that is no list")
    tolerance = manifest["tolerance"]
    if not (isinstance(tolerance, int | float) and 0 <= tolerance < math.inf):
        raise ValueError("tolerance is no number from 0 on")


def _check_digest(name: str, digest: str, published: str | None) -> None:
    if digest != published:
        raise BrokenVersion(f"{name} is not the file that was published")


def sha256_of(data: bytes) -> str:
    """Return the digest of a file's content, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_header(data: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file. Raises DamagedFile."""
    size = int.from_bytes(data[:8], "little")  # the format: eight bytes of length, then a JSON header
    try:
        header: Any = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        if not (isinstance(header, dict) and all(isinstance(text, str) for text in header.values())):
            raise ValueError("its metadata are no texts by name")
    except (ValueError, AttributeError, RecursionError) as e:
        raise DamagedFile(f"not a readable safetensors file ({e})") from e
    return dict(header)
