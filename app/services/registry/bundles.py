"""Bundles: a version's files in a zip, to be used without Gatecast."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from app.scope import Scope
from app.services.registry.builtin import NUMBER, find_config
from app.services.registry.builtin_bundle import BuiltinBundle
from app.services.registry.loader import unavailable
from app.services.registry.lookup import is_builtin, require_model, require_revision, require_version
from app.services.registry.zips import IN_MEMORY, build_entry, read_blocks
from app.storage.artifacts import ArtifactError, ArtifactStore
from app.storage.engine import Database
from app.storage.revisions import VersionRevision
from models.errors import BrokenVersion
from models.inference.published import MANIFEST, Published

README = """Version {version} of the Gatecast model {name}

graph.onnx           forecasts; runs in ONNX Runtime, needs nothing of Gatecast
manifest.json        what the graph reads and returns (inputs, dtypes, calendar_fields, outputs), what it was
                     trained as (config: frequency, context_length, horizon, quantiles), and each file's sha256
golden.safetensors   inputs with the quantiles that the graph has to return for them, within tolerance * scale
weights.safetensors  the network's weights, for training on with Gatecast's own library

y         (batch, context) newest values in original units, NaN where missing; cleaned first as config.cleaning says
calendar  (batch, context + horizon, 5) second of the day, day of the week (Monday is 0), day of the month and of
          the year counted from 0, all on the local wall clock; and 0, or for a model with a country 1 on a holiday,
          2 on the day before and 3 on the day after one
quantiles (batch, horizon, levels) in original units, ascending
"""


@dataclass(frozen=True)
class Bundle:
    """A version that can be packed."""

    name: str
    files: VersionRevision
    store: ArtifactStore

    @property
    def version(self) -> str:
        """Its number, with that of a revision."""
        return f"{self.files.number}.{self.files.revision}" if self.files.revision else str(self.files.number)

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}.zip"

    @property
    def readme(self) -> str:
        return README.format(name=self.name, version=self.version)

    @property
    def tag(self) -> str:
        """A strong entity tag: the same files and the same words are packed to the same bytes."""
        return f'"{self.files.digest[:32]}-{hashlib.sha256(self.readme.encode()).hexdigest()[:8]}"'

    def pack(self) -> tuple[int, Iterator[bytes]]:
        """Check every file and pack it; return the size of the zip in bytes, and its blocks.

        Raises Unavailable where a file is broken or cannot be read; then nothing has been handed out.
        """
        packed = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  its blocks outlive this call
        try:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
                self._fill(archive)
        except (ArtifactError, BrokenVersion) as e:
            packed.close()
            raise unavailable(self.files, e) from e
        return packed.tell(), read_blocks(packed)

    def _fill(self, archive: zipfile.ZipFile) -> None:
        published = Published(self.files.digest, lambda name: self.store.get(f"{self.files.artifact}/{name}"))
        archive.writestr(build_entry("README.txt"), self.readme)
        archive.writestr(build_entry(MANIFEST), published.manifest)
        for name in published.digests:
            digest = hashlib.sha256()
            with archive.open(build_entry(name), "w") as file:
                for block in self.store.blocks(f"{self.files.artifact}/{name}"):
                    digest.update(block)
                    file.write(block)
            published.check(name, digest.hexdigest())


class BundleService:
    """What GET /models/{name}/versions/{n}/bundle means."""

    def __init__(self, database: Database, store: ArtifactStore) -> None:
        self._database = database
        self._store = store

    def get(self, scope: Scope, name: str, number: int, revision: int | None) -> Bundle | BuiltinBundle:
        """Return the bundle of a version's revision, or of the one that serves; it is not packed yet. Raises
        NotFound."""
        with self._database.read() as session:
            if number == NUMBER and not revision and is_builtin(session, scope, name):
                return BuiltinBundle()
            model = require_model(session, scope, name)
            files = require_revision(session, model, require_version(session, model, number), revision)
            if find_config(files.artifact) is not None:
                return BuiltinBundle()
            return Bundle(name, files, self._store)
