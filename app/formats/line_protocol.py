"""InfluxDB's line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/.

A field that is a number, or true or false for 1 and 0, is a sample; a text is none. Its labels are the tags, `field`,
and the measurement as `__name__`.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from line_protocol_parser import LineFormatError, parse_line

from app.formats.samples import (
    NAME,
    Known,
    Labels,
    NewSources,
    ReadSamples,
    SampleError,
    check_count,
    gather_samples,
)

FIELD = "field"
"""the label that holds the key of a field"""
PRECISIONS = {
    "ns": 1,
    "n": 1,
    "us": 1000,
    "u": 1000,
    "µ": 1000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""nanoseconds of a unit of time"""
LONGEST_LINE = 1024 * 1024
"""characters of a line, whose fields are read at once"""
LONGEST_SHOWN = 80
"""characters of a bad line that are told"""
_HEAD = re.compile(r"(?:[^ \\]|\\+[^\\])*")
"""measurement and tags, in which quotes are ordinary and blanks are escaped"""
_QUOTE = re.compile(r'\\.|(")', re.DOTALL)


def read_lines(content: bytes, nanoseconds: int, now: int, known: Known) -> ReadSamples:
    """Read lines. Raises SampleError, which names the first bad one by its number from 1.

    Args:
        content: the body
        nanoseconds: of the unit in which timestamps are written
        now: microseconds UTC, the time of lines without one
        known: sources by the beginning of their lines and their field
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        raise SampleError(f"the body is not UTF-8, at byte {e.start}") from e
    check_count(text.count("\n"), "lines")
    new = NewSources()
    sources: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    has_escapes = "\\" in text
    for number, line in _split(text):
        if len(line) > LONGEST_LINE:
            raise _refuse(number, line, f"it has more than {LONGEST_LINE} characters")
        try:
            parsed = parse_line(line)
        except LineFormatError as e:
            raise _refuse(number, line, str(e)) from e
        if parsed is None:  # a comment
            continue
        time = parsed["time"]
        stamp = now if time is None else time * nanoseconds // 1000
        check_count(len(stamps) + len(parsed["fields"]), "samples")
        head: Hashable = _describe(parsed) if has_escapes else line[: line.index(" ")]
        for field, value in parsed["fields"].items():
            if value.__class__ is not str:
                key = (head, field)
                source = known.get(key)
                sources.append(_find_source(new, key, parsed) if source is None else source)
                stamps.append(stamp)
                values.append(value)
    return gather_samples(sources, stamps, values, new)


def _describe(line: Mapping[str, Any]) -> Hashable:
    """Return what the beginning of a line says, however it is escaped."""
    return (line["measurement"], *sorted(line["tags"].items()))


def _find_source(new: NewSources, key: tuple[Hashable, str], line: Mapping[str, Any]) -> int:
    """Return the number of a source that is not known."""
    source = new.find(key)
    if source is not None:
        return source
    labels: Labels = {**line["tags"], NAME: line["measurement"], FIELD: key[1]}
    return new.add(key, labels)  # the parser takes 64 KiB of them


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers from 1, without comments and empty ones; a quoted text may hold line breaks."""
    parts = enumerate(text.split("\n"), 1)
    if '"' not in text:
        for number, part in parts:
            line = part.strip(" \t\r")
            if line and line[0] != "#":
                yield number, line
        return
    open_parts: list[str] = []
    first = 0
    for number, part in parts:
        if not open_parts:
            first = number
            part = part.strip(" \t\r")
            if not part or part[0] == "#":
                continue
        if _is_cut(part, is_field=bool(open_parts)) != bool(open_parts):
            open_parts.append(part)
            continue
        yield first, "\n".join([*open_parts, part])
        open_parts = []
    if open_parts:
        raise _refuse(first, open_parts[0], "a quoted text has no end")


def _is_cut(part: str, *, is_field: bool) -> bool:
    """Say whether an odd number of quotes stands in the fields of a line, or in a part that goes on with them."""
    head = None if is_field else _HEAD.match(part)
    start = 0 if head is None else head.end()
    return sum(1 for match in _QUOTE.finditer(part, start) if match[1]) % 2 == 1


def _refuse(number: int, line: str, why: str) -> SampleError:
    reason = why.rstrip(".")
    return SampleError(
        f"line {number}: {reason[:1].lower()}{reason[1:]}: {line[:LONGEST_SHOWN]!r}; write lines such as "
        "measurement,tag=value field=1.5 1704067200000000000"
    )
