"""Templates of graphs in a folder: kept between jobs and workers of a machine, and never needed."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".onnx"
UNFINISHED = ".part"


@dataclass(frozen=True)
class GraphCache:
    """A folder of templates, the longest unused of which go first. Any file may vanish at any time.

    Nothing is raised where the folder cannot be read or written: then graphs are traced each time.
    """

    folder: Path
    most_bytes: int

    def get(self, key: str) -> bytes | None:
        """Return a template, and note that it is used."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def has(self, key: str) -> bool:
        """Return whether a template is there."""
        return self._path(key).exists()

    def put(self, key: str, data: bytes) -> None:
        """Keep a template, whole or not at all, and drop others beyond `most_bytes`."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._shrink(self.most_bytes - len(data))
            if len(data) > self.most_bytes:
                return
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=UNFINISHED, delete=False) as file:
                file.write(data)
            Path(file.name).replace(self._path(key))

    def remove(self, key: str) -> None:
        """Forget a template."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _shrink(self, most_bytes: int) -> None:
        """Drop what was longest unused, until what remains is small enough."""
        files = [(path.stat(), path) for path in self.folder.iterdir() if path.suffix in (SUFFIX, UNFINISHED)]
        total = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if total <= most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size
