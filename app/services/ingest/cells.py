"""Columns of cells in Arrow arrays, as numbers and texts in NumPy's."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.formats.cells import read_numbers
from models.arrays import Floats, Ints

if TYPE_CHECKING:
    import pyarrow as pa

Values = NDArray[Any]
"""(N,) float64 with NaN, or text with None, where missing"""
BLANK = ""


def find_runs(code: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Return where each run of equal codes (N,), which are not negative, begins and ends."""
    starts = np.flatnonzero(np.diff(code, prepend=-1)).tolist()
    return list(zip(starts, [*starts[1:], len(code)], strict=True))


def encode_texts(column: "pa.Array") -> tuple[list[str], Ints]:
    """Return the distinct texts of a column (N,), an empty one last, and the place (N,) of each cell among them.

    Missing cells are empty ones.
    """
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    texts = [BLANK if text is None else text for text in encoded.dictionary.to_pylist()]
    return [*texts, BLANK], encoded.indices.cast(pa.int64()).fill_null(len(texts)).to_numpy()


def show_cell(column: "pa.Array", position: int) -> str:
    """Return one cell as text; a time that Python's have no year for, as its number since 1970."""
    try:
        cell = column[position].as_py()
    except OverflowError:
        cell = f"{column[position].value} microseconds since 1970"
    return BLANK if cell is None else str(cell)


def number_cells(column: "pa.Array") -> tuple[Floats, Ints]:
    """Return the numbers (N,), NaN where missing, and the positions of the cells that are neither."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        numbers = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        return numbers, np.flatnonzero(np.isinf(numbers))
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    numbers = _cast_numbers(plain)
    if numbers is not None:
        return numbers, np.empty(0, np.int64)
    read, wrong = read_numbers([cell or BLANK for cell in plain.to_pylist()])
    return read, np.array(wrong, np.int64)


def _cast_numbers(column: "pa.Array") -> Floats | None:
    """Return the numbers (N,) of a column of numbers and empty cells alone; None where there is something else."""
    import pyarrow as pa
    from pyarrow import compute

    try:
        cast = compute.if_else(compute.equal(column, BLANK), pa.scalar(None, column.type), column).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers: Floats = cast.fill_null(np.nan).to_numpy(zero_copy_only=False)
    return None if np.isinf(numbers).any() else numbers


def count_values(column: "pa.Array", *, has_types: bool) -> tuple[int, int]:
    """Return how many cells are numbers and how many are text; in a format that has types, a text is no number."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return int(np.isfinite(column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)).sum()), 0
    texts, index = encode_texts(column)
    counts = np.bincount(index, minlength=len(texts))
    if has_types:
        return 0, int(sum(count for text, count in zip(texts, counts.tolist(), strict=True) if text.strip()))
    numbers, wrong = read_numbers(texts)
    is_text = np.zeros(len(texts), np.bool_)
    is_text[wrong] = True
    return int(counts[~np.isnan(numbers)].sum()), int(counts[is_text].sum())


def text_cells(column: "pa.Array") -> Values:
    """Return the texts (N,) without the blanks around them, None where nothing is left; numbers as they are written."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return np.array([_spell_number(number) for number in column.to_pylist()], object)
    texts, index = encode_texts(column)
    distinct = np.empty(len(texts), object)
    distinct[:] = [text.strip() or None for text in texts]
    return distinct[index]


def _spell_number(number: float | None) -> str | None:
    if number is None or number != number:  # NaN
        return None
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
