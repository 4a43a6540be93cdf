"""The artifact store: any fsspec URL. Paths begin with the project."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

PROBES = ".probe/"
BLOCK = 1024 * 1024
"""bytes that `blocks` reads at once"""


class ArtifactError(Exception):
    """An artifact cannot be read or written."""


class ArtifactMissing(ArtifactError):
    """There is no such artifact; trying again does not help."""


class ArtifactStore:
    """Bytes by path under one fsspec URL."""

    def __init__(self, url: str) -> None:
        self._fs: Any
        self._fs, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))

        # clients of object stores raise what their own libraries do
        self._failures: tuple[type[Exception], ...] = (OSError,) if self._local else (Exception,)

    def _resolve(self, path: str) -> str:
        return f"{self._root}/{path}"

    def put(self, path: str, data: bytes) -> None:
        """Store all of `data`, or nothing. Raises ArtifactError."""
        target = self._resolve(path)
        try:
            self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            if not self._local:  # object stores write whole objects
                self._fs.pipe_file(target, data)
                return
            temporary = Path(f"{target}.{uuid.uuid4().hex}.tmp")
            temporary.write_bytes(data)
            temporary.replace(target)
        except self._failures as e:
            raise ArtifactError(f"cannot write {path}: {e}") from e

    def get(self, path: str) -> bytes:
        """Return the bytes at `path`. Raises ArtifactMissing where there is nothing, ArtifactError for an outage."""
        with self._reading(path):
            data: bytes = self._fs.cat_file(self._resolve(path))
        return data

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes at `path` in blocks. Raises ArtifactMissing, ArtifactError."""
        with self._reading(path), self._fs.open(self._resolve(path), "rb") as file:
            while block := file.read(BLOCK):
                yield block

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as e:
            raise ArtifactMissing(f"cannot read {path}: it does not exist") from e
        except self._failures as e:
            raise ArtifactError(f"cannot read {path}: {e}") from e

    def list_names(self, path: str) -> list[str]:
        """Return the names in a folder; there are none in a folder that does not exist. Raises ArtifactError."""
        self._fs.invalidate_cache()  # other processes write too
        try:
            paths = self._fs.ls(self._resolve(path), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except self._failures as e:
            raise ArtifactError(f"cannot list {path}: {e}") from e
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in paths)

    def list_all(self) -> list[str]:
        """Return the paths of all files but half-written ones and probes, in order. Raises ArtifactError."""
        self._fs.invalidate_cache()
        try:
            found = self._fs.find(self._root)
        except FileNotFoundError:
            return []
        except self._failures as e:
            raise ArtifactError(f"cannot list the artifacts: {e}") from e
        start = len(self._fs._strip_protocol(self._root).rstrip("/")) + 1
        paths = [str(name)[start:] for name in found]
        return sorted(path for path in paths if not path.endswith(".tmp") and not path.startswith(PROBES))

    def get_size(self, path: str) -> int:
        """Return the bytes of a file. Raises ArtifactMissing, ArtifactError."""
        with self._reading(path):
            return int(self._fs.size(self._resolve(path)))

    def remove(self, path: str) -> None:
        """Delete the file or the whole folder at `path`, if it exists."""
        with contextlib.suppress(*self._failures):
            self._fs.rm(self._resolve(path), recursive=True)

    def check(self) -> None:
        """Write, read and delete a probe. Raises ArtifactError."""
        path = f"{PROBES}{uuid.uuid4().hex}"
        self.put(path, b"gatecast")
        if self.get(path) != b"gatecast":
            raise ArtifactError("the artifact store does not return what was written")
        self.remove(path)


def job_folder(project_id: int, job_id: str) -> str:
    """Return the folder of the files that a job's attempts leave for the next attempt."""
    return f"{project_id}/jobs/{job_id}"


def result_folder(project_id: int, job_id: str) -> str:
    """Return the folder of what stays of a job that has succeeded, beside its result in the database."""
    return f"{project_id}/results/{job_id}"


def version_folder(project_id: int, model_pk: int, job_id: str, attempt: int) -> str:
    """Return the folder of a version's files. Every attempt has its own, so a replaced attempt overwrites nothing."""
    return f"{project_id}/models/{model_pk}/{job_id}-{attempt}"
