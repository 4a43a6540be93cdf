"""Zips of the same files that have the same bytes."""

import zipfile
from collections.abc import Iterator
from typing import IO

from app.storage.artifacts import BLOCK

IN_MEMORY = 4_000_000
"""bytes; a larger zip is put together on disk"""


def build_entry(name: str) -> zipfile.ZipInfo:
    """Return an entry of no time."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry


def read_blocks(packed: IO[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a file from its beginning, and close it."""
    with packed:
        packed.seek(0)
        while block := packed.read(BLOCK):
            yield block
