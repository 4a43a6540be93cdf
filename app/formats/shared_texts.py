"""Texts that many rows of an Arrow array share, made ordinary without writing them out once for each row.

A text of a megabyte stands once in a file, and a million rows may point at it, or at parts of it: as runs, as views,
as entries of a dictionary.
"""

from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_COPIED = 1000
"""bytes of a view that is copied: more than any text has that is kept"""
TOO_LONG = b"x" * (LONGEST_COPIED + 1)
"""what stands in the place of a longer one: it is longer than any text that is kept, too"""


def decode_runs(column: "pa.Array") -> "pa.DictionaryArray":
    """Return runs (N,) as a dictionary of their values."""
    import pyarrow as pa

    first = column.find_physical_offset()
    count = column.find_physical_length()
    ends = np.minimum(np.asarray(column.run_ends)[first : first + count], column.offset + len(column))
    lengths = np.diff(ends.astype(np.int64), prepend=column.offset)
    numbers = np.repeat(np.arange(first, first + count, dtype=np.int32), lengths)
    values = column.values
    if pa.types.is_dictionary(values.type):
        return pa.DictionaryArray.from_arrays(values.indices.take(pa.array(numbers)), values.dictionary)
    return pa.DictionaryArray.from_arrays(pa.array(numbers), values)


def copy_views(column: "pa.Array", rows: Ints | None = None) -> "pa.Array":
    """Return views (N,), or those in some rows (N,), as strings; TOO_LONG for those of more than LONGEST_COPIED bytes.

    What the others point at is checked, and nothing else: a million views may be of one text. Raises ValueError for
    views that point nowhere, and for what is no text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    _, views, *data = column.buffers()
    fields = np.frombuffer(views, np.int32, 4 * len(column), 16 * column.offset).reshape(-1, 4)
    is_there = np.asarray(column.is_valid())
    fields, is_there = (fields.copy(), is_there) if rows is None else (fields[rows], is_there[rows])
    fields[~is_there] = 0  # what stands behind a missing value may be anything
    long = fields[:, 0] > LONGEST_COPIED
    fields[long] = (len(TOO_LONG), int.from_bytes(TOO_LONG[:4], "little"), len(data), 0)
    buffers = [None, pa.py_buffer(fields.tobytes()), *data, pa.py_buffer(TOO_LONG)]
    copied = pa.Array.from_buffers(column.type, len(fields), buffers)
    copied.validate(full=True)
    return pc.if_else(pa.array(is_there), copied.cast(pa.string()), pa.scalar(None, pa.string()))


def select_used(column: "pa.DictionaryArray") -> "pa.DictionaryArray":
    """Return a column (N,) with those entries of its dictionary alone that it has, as strings where they are views.

    Raises ValueError as `copy_views` does.
    """
    import pyarrow as pa

    indices = column.indices
    is_there = np.asarray(indices.is_valid())
    used, numbers = np.unique(np.asarray(indices.cast(pa.int64()).fill_null(0)), return_inverse=True)
    texts = column.dictionary
    if pa.types.is_string_view(texts.type):
        if not len(texts):  # all are missing
            return pa.DictionaryArray.from_arrays(pa.nulls(len(column), pa.int32()), pa.array([], pa.string()))
        texts = copy_views(texts, used)
    else:
        texts = texts.take(pa.array(used))
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32), mask=~is_there), texts)
