"""Columns of a format as those of a batch: ids, timestamps and values, and the rows whose cell is none of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ErrorCode, Invalid, RowError
from app.formats.shared_texts import copy_views, decode_runs, select_used
from app.formats.table import KEYS, TARGET
from models.arrays import Ints

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_CELL = 200
"""characters: of the longest id of a series"""
TOO_LONG = f"a cell has more than {LONGEST_CELL} characters, or NUL among them"
_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
"""unit → how many microseconds it has"""
_LARGEST = 2**63 - 1


@dataclass
class RowChecks:
    """The rows of a batch, and what is wrong with some of them."""

    rows: Ints
    """(N,) their numbers"""
    code: ErrorCode
    """of a column that cannot be read at all"""
    reasons: dict[int, str] = field(default_factory=dict)
    """{position of a row: why it is left out}"""

    def reject(self, wrong: NDArray[Any], reason: str) -> None:
        """Note rows (positions) with a reason; the first one counts."""
        for i in wrong.tolist():
            self.reasons.setdefault(i, reason)

    def list_errors(self) -> list[RowError]:
        """Return the rows that are left out."""
        reasons = sorted(self.reasons.items())
        return [RowError(int(self.rows[i]), ErrorCode.invalid_value, reason) for i, reason in reasons]

    def list_kept(self) -> Ints:
        """Return the positions of the others."""
        return np.delete(np.arange(len(self.rows)), list(self.reasons))


def read_ids(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    """Return ids (N,) as a dictionary of strings without the blanks around them. Raises Invalid for another type."""
    return _encode(_read_keys(column, name, checks), checks)


def read_times(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    """Return timestamps (N,) as a batch has them: a dictionary of strings, int64, or timestamp[us].

    What is finer than a microsecond is cut off. Raises Invalid for another type.
    """
    import pyarrow as pa

    column = flatten(column, name, checks)
    kind = column.type
    if pa.types.is_integer(kind):
        return _read_whole(column, checks)
    if pa.types.is_date32(kind):
        return _count_microseconds(column.view(pa.int32()), 86_400_000_000, pa.timestamp("us"), checks)
    if pa.types.is_date64(kind):
        return _count_microseconds(column.view(pa.int64()), 1000, pa.timestamp("us"), checks)
    if pa.types.is_timestamp(kind):
        wanted = pa.timestamp("us", None if kind.tz is None else "UTC")
        counts = column.view(pa.int64())
        if kind.unit != "ns":
            return _count_microseconds(counts, _MICROSECONDS[kind.unit], wanted, checks)
        # cut off as text is: towards the past, before 1970 too
        filled = np.asarray(counts.fill_null(0)) // 1000
        return pa.array(filled, mask=np.asarray(counts.is_null())).view(wanted)
    if pa.types.is_floating(kind):
        return _read_floats(column.cast(pa.float64()), checks)
    if not _is_text(kind) and not pa.types.is_null(kind):
        raise _refuse(name, kind, checks, "timestamps are text, timestamps, dates or whole numbers")
    return _encode(column, checks)


def read_values(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    """Return numbers (N,) as float64, or texts as strings or a dictionary of them. Raises Invalid for another type."""
    import pyarrow as pa

    column = flatten(column, name, checks)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _encode(column, checks)
    if _is_text(kind):
        texts = column if kind == pa.string() else column.cast(pa.string())
        checks.reject(_find_long(texts), TOO_LONG)
        return texts
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if is_number or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(pa.float64(), safe=False)
    raise _refuse(name, kind, checks, "values are numbers, truth values or text")


def read_target(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    """Return numbers (N,) as float64, or texts as strings. Raises Invalid for another type."""
    import pyarrow as pa

    values = read_values(column, name, checks)
    return values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values


def _read_keys(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    import pyarrow as pa

    column = flatten(column, name, checks)
    kind = column.type
    if _is_text(kind) or pa.types.is_null(kind) or pa.types.is_integer(kind):
        return column
    if pa.types.is_floating(kind):
        return column.cast(pa.string())
    raise _refuse(name, kind, checks, "ids are text or whole numbers")


def check_type(name: str, kind: Any, code: ErrorCode) -> None:
    """Raise Invalid for a type that no column of a table has, before anything of it is read."""
    import pyarrow as pa

    has_runs = pa.types.is_run_end_encoded(kind)
    inner = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    while pa.types.is_dictionary(inner) or pa.types.is_run_end_encoded(inner):
        inner = inner.value_type
    if pa.types.is_timestamp(inner) and not _has_readable_timezone(inner):
        raise Invalid(code, f"the column {name!r} has a timezone that is no text in UTF-8; write it as UTC")
    if (has_runs and pa.types.is_string_view(inner)) or not (_is_small(inner) or _is_string(inner)):
        detail = f"the column {name!r} holds {kind}, and tables have numbers, texts and timestamps; write it as one of"
        raise Invalid(code, f"{detail} them, or leave it out with columns={name}:")


def _has_readable_timezone(kind: Any) -> bool:
    """Say whether the timezone of timestamps is a text, of which nobody has made sure."""
    try:
        return kind.tz is None or bool(kind.tz)
    except UnicodeDecodeError:
        return False


def flatten(column: "pa.Array", name: str, checks: RowChecks) -> "pa.Array":
    """Return a column without an encoding that batches do not have; dictionaries of texts stay.

    No text is written out for each of its rows: a few kilobytes would become gigabytes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    check_type(name, column.type, checks.code)
    if isinstance(column.type, pa.BaseExtensionType):
        if not _is_text(column.type.storage_type):
            raise _refuse(name, column.type, checks, "tables have numbers, texts and timestamps")
        column = column.storage
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column) if _is_small(column.type.value_type) else decode_runs(column)
    if pa.types.is_dictionary(column.type) and _is_small(column.type.value_type):
        column = column.dictionary_decode()
    try:
        if pa.types.is_string_view(column.type):
            return copy_views(column)
        if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
            return select_used(column)
    except (ValueError, IndexError) as e:
        reason = str(e).splitlines()[0][:200] or type(e).__name__
        raise Invalid(checks.code, f"the column {name!r} cannot be read: {reason}; write the table again") from e
    return column


def _is_small(kind: Any) -> bool:
    """Say whether each value of a type has a few bytes."""
    import pyarrow as pa

    tests = ("integer", "floating", "decimal", "boolean", "null", "date", "timestamp")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def _is_string(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return _is_string(kind) or bool(pa.types.is_dictionary(kind) and _is_string(kind.value_type))


def _encode(column: "pa.Array", checks: RowChecks) -> "pa.Array":
    """Return texts (N,) as a dictionary of distinct strings without the blanks around them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        column = (column if column.type == pa.string() else column.cast(pa.string())).dictionary_encode()
    if len(column.dictionary) > len(column):  # those of all other batches are not carried along
        column = select_used(column)
    indices = column.indices.cast(pa.int32())
    texts = column.dictionary.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(texts)
    long = _find_long(trimmed)
    if len(long):
        checks.reject(np.flatnonzero(np.isin(np.asarray(indices.fill_null(-1)), long)), TOO_LONG)
        kept = np.ones(len(trimmed), np.bool_)
        kept[long] = False
        trimmed = pc.if_else(pa.array(kept), trimmed, "")  # whoever decodes it gets small texts
    if trimmed.null_count or not trimmed.equals(texts):
        return trimmed.take(indices).dictionary_encode()  # texts that were two may be one now
    return pa.DictionaryArray.from_arrays(indices, trimmed)


def _find_long(texts: "pa.Array") -> Ints:
    """Return the positions of texts that nobody can keep."""
    import pyarrow.compute as pc

    sizes = pc.max(pc.binary_length(texts)).as_py() or 0
    has_nul = b"\x00" in _get_bytes(texts)
    if sizes <= LONGEST_CELL and not has_nul:
        return np.empty(0, np.int64)
    wrong = pc.or_(pc.greater(pc.utf8_length(texts), LONGEST_CELL), pc.match_substring(texts, "\x00"))
    return np.flatnonzero(np.asarray(wrong.fill_null(False)))


def _get_bytes(texts: "pa.Array") -> bytes:
    """Return the bytes of all texts of a column of strings, one behind the other."""
    _, places, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    ends = np.frombuffer(places, np.int32, len(texts) + 1, 4 * texts.offset)
    return bytes(memoryview(data)[ends[0] : ends[-1]])


def _read_whole(column: "pa.Array", checks: RowChecks) -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_uint64(column.type):
        over = np.asarray(pc.greater(column, pa.scalar(_LARGEST, pa.uint64())).fill_null(False))
        checks.reject(np.flatnonzero(over), "ds is a number beyond every timestamp")
    return column.cast(pa.int64(), safe=False)


def _read_floats(column: "pa.Array", checks: RowChecks) -> "pa.Array":
    """Return whole numbers (N,) that came as floats, as pandas makes them, as int64; else all of them as text."""
    import pyarrow as pa

    numbers = np.asarray(column.fill_null(np.nan))
    missing = np.isnan(numbers)
    filled = np.where(missing, 0.0, numbers)
    if (np.abs(filled) < 2.0**63).all() and (filled == np.floor(filled)).all():
        return pa.array(filled.astype(np.int64), mask=missing)
    texts = [None if gone else repr(number) for gone, number in zip(missing.tolist(), numbers.tolist(), strict=True)]
    return _encode(pa.array(texts, pa.string()), checks)


def _count_microseconds(counts: "pa.Array", factor: int, wanted: "pa.DataType", checks: RowChecks) -> "pa.Array":
    """Return counts (N,) of a unit as timestamps; those that no timestamp holds are rejected."""
    import pyarrow as pa

    filled = np.asarray(counts.fill_null(0)).astype(np.int64)
    over = np.abs(filled) > _LARGEST // factor
    over |= filled == -_LARGEST - 1
    if over.any():
        checks.reject(np.flatnonzero(over), "ds lies outside of the years 1000 to 8999")
        filled = np.where(over, 0, filled)
    return pa.array(filled * factor, mask=np.asarray(counts.is_null())).view(wanted)


def _refuse(name: str, kind: Any, checks: RowChecks, wanted: str) -> Invalid:
    detail = f"the column {name!r} holds {kind}, and {wanted}; write it as one of them"
    if name not in (*KEYS, TARGET):
        detail += f", or leave it out with columns={name}:"
    return Invalid(checks.code, detail)


def split_evenly(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of pieces of at most so many of `count`."""
    for start in range(0, count, most):
        yield start, min(most, count - start)
