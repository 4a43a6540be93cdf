"""A file as memory, so that readers take of it what they need and copy nothing."""

import io
import mmap
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa


def map_file(file: BinaryIO) -> "pa.Buffer":
    """Return the bytes of a file, mapped where it lies on disk."""
    import pyarrow as pa

    file.seek(0)
    try:
        number = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return pa.py_buffer(file.read())
    file.flush()
    if not file.seek(0, io.SEEK_END):
        return pa.py_buffer(b"")
    return pa.py_buffer(mmap.mmap(number, 0, access=mmap.ACCESS_READ))
