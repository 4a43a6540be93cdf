"""Which layout a column of times shows that nobody named, and what a cell without a reading is told."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.services.ingest.ds_formats import DsFormat, keep_readable, make_times, parse_ds_format
from app.services.ingest.ds_parts import EPOCHS
from models.calendar.iso import WrittenTimes, read_times
from models.calendar.lookalikes import explain_unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_YEAR_FIRST = ("%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d")
_NUMBERS = (*_YEAR_FIRST, "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_NAMES = ("%d %b %Y", "%d-%b-%Y", "%d%b%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%d-%B-%Y", "%B %d, %Y", "%B %d %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", ", %H:%M", ", %H:%M:%S", "T%H:%M", "T%H:%M:%S")
_HALF_DAYS = (" %I:%M %p", " %I:%M:%S %p", ", %I:%M %p", ", %I:%M:%S %p")
_ZONED = ("%Y-%m-%d %H:%M %z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S.%f %z", "%a, %d %b %Y %H:%M:%S %z")
_MONTHS = ("%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%Y-%m", "%Y/%m", "%m/%Y", "%YM%m")
_QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y")
_WEEKS = ("%G-W%V", "%GW%V", "%G-W%V-%u")
_DIGITS = ("%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H%M", *EPOCHS)
GUESSED = (
    *(date + time for date, time in product((*_NUMBERS, *_NAMES), (*_CLOCKS, *_HALF_DAYS))),
    *(*_ZONED, *_MONTHS, *_QUARTERS, *_WEEKS, *_DIGITS),
)
"""layouts that are read without their name, where the column shows one of them alone"""
_SHORT_YEARS = ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d")
_SHORT_MONTHS = ("%b-%y", "%b %y", "%d-%b-%y", "%d %b %y")
_STEPS = ("%Y", "%Y%m", "%y%m%d")
NAMED = (*_SHORT_YEARS, *_SHORT_MONTHS, *_STEPS, "%d%m%Y", "%m%d%Y")
"""layouts that are read where `ds_format` names them: their cells may well be something else"""

_EPOCH_HINT = f", or ds_format={' or '.join(EPOCHS)} where it is a time since 1970"

_SAMPLE = 100
"""cells whose spelling says which layouts are tried"""
_FIRST = int(np.datetime64("1973-03-04", "us").astype(np.int64))
_LAST = int(np.datetime64("2100-01-01", "us").astype(np.int64))
"""numbers since 1970 that are taken for times lie between the two, so that one unit at most fits"""


class GuessedTimes(NamedTuple):
    """What a column shows."""

    formats: list[DsFormat]
    """that may be meant, best first; none where no layout reads a cell"""
    times: WrittenTimes
    """(N,) nothing is readable where the layouts that may be meant read different times"""


def guess_formats(texts: "pa.Array", known: Sequence[DsFormat]) -> GuessedTimes:
    """Read texts (N,) by the one layout that reads every cell which any other reads; of those `known`, if there are.

    So 31/01/2024 in one row says how 01/02/2024 is read in another, and 31/01/2024 beside 01/31/2024 says nothing.
    """
    candidates = known or list(_find_candidates(texts))
    reads = [(candidate, _read_plausible(candidate, texts)) for candidate in candidates]
    reads.sort(key=lambda read: -np.count_nonzero(read[1].readable))  # stable: the order of GUESSED among equals
    if not reads or not reads[0][1].readable.any():
        zeros = np.zeros(len(texts), np.int64)
        return GuessedTimes(list(known), make_times(zeros, np.zeros(len(texts), np.bool_), naive=False))
    best = reads[0][1]
    rivals = [(other, times) for other, times in reads[1:] if (times.readable == best.readable).all()]
    is_least = all((times.readable <= best.readable).all() for _, times in reads[1:])
    if not is_least:
        rivals = reads[1:]
    agree = is_least and all(_read_alike(times, best) for _, times in rivals)
    times = keep_readable(best, np.full(len(texts), agree))
    return GuessedTimes([reads[0][0], *(other for other, _ in rivals)], times)


def explain_cell(text: str | None, sent: DsFormat | None, guessed: Sequence[DsFormat], *, is_iso: bool) -> str:
    """Say why a cell has no time, and what to send instead.

    Args:
        sent: what `ds_format` asks for
        guessed: the layouts that the column may have
        is_iso: whether the column has ISO 8601
    """
    if text is None or not text.strip():
        return "ds is empty; give the row its timestamp"
    bare = text.strip()
    shown = repr(bare[:60])
    if sent is not None:
        return f"{shown} is no time of ds_format={sent.name}{_name_readings(bare)}"
    if is_iso:
        return explain_unreadable(text)
    if len(guessed) == 1:
        return f"{shown} is no time of ds_format={guessed[0].name}, which other cells of ds have{_name_readings(bare)}"
    readings = _list_readings(bare)
    if not readings:
        return explain_unreadable(text) + (_EPOCH_HINT if bare.isdecimal() else "")
    what = " or ".join(f"{time} with ds_format={name}" for name, time in readings)
    steps = ", or ds_start= and freq= where ds counts steps" if bare.isdecimal() and len(bare) < 8 else ""
    which = "that, if all of ds is meant so" if len(readings) == 1 else "the one that is meant"
    return f"{shown} is {what}; send {which}{steps}"


def _find_candidates(texts: "pa.Array") -> Iterator[DsFormat]:
    sample = list(islice((text for text in texts.slice(0, 100 * _SAMPLE).to_pylist() if text), _SAMPLE))
    for candidate in map(parse_ds_format, GUESSED):
        if any(map(_compile_pattern(candidate).fullmatch, sample)):
            yield candidate


@lru_cache(maxsize=1024)
def _compile_pattern(layout: DsFormat) -> re.Pattern[str]:
    """Return a layout's spelling, for one text at a time."""
    return re.compile(layout.pattern, re.ASCII | re.IGNORECASE)


def _read_plausible(layout: DsFormat, texts: "pa.Array") -> WrittenTimes:
    """Read texts (N,), of numbers those alone that somebody may well mean."""
    times = layout.read(texts)
    if layout.name not in _DIGITS:
        return times
    return keep_readable(times, (times.wall >= _FIRST) & (times.wall < _LAST))


def _read_alike(one: WrittenTimes, other: WrittenTimes) -> bool:
    """Say whether times (N,) that are readable in the same rows are equal."""
    return bool((one.wall == other.wall).all() and (one.naive == other.naive).all())


def _name_readings(text: str) -> str:
    """Say by which other layouts a text could be read."""
    if read_times([text]).readable[0]:
        return "; it is ISO 8601, which is read without ds_format"
    readings = [name for name, _ in _list_readings(text)]
    return f"; it would fit ds_format={' or '.join(readings)}" if readings else ""


def _list_readings(text: str) -> list[tuple[str, str]]:
    """Return the layouts (by name) that read a text, and what they read."""
    import pyarrow as pa

    readings = []
    for layout in map(parse_ds_format, (*GUESSED, *NAMED)):
        if _compile_pattern(layout).fullmatch(text) is None:
            continue
        times = _read_plausible(layout, pa.array([text]))
        if times.readable[0]:
            moment = str(np.datetime64(int(times.wall[0]), "us"))
            readings.append((layout.name, moment.removesuffix("T00:00:00.000000").removesuffix(".000000")))
    return readings
