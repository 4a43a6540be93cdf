"""InfluxDB's line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/.

A field that is a number, or true or false for 1 and 0, is a sample; a text is none. Its labels are the tags, `field`,
and the measurement as `__name__`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from line_protocol_parser import LineFormatError, parse_line

from app.formats.samples import NAME, Labels, SampleBatch, SampleError, SourceTable, build_batch

FIELD = "field"
"""the label that holds the key of a field"""
SEPARATOR = "\x00"
"""between the measurement with its tags and the field of a key"""
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
LONGEST_SHOWN = 80
"""characters of a bad line that are told"""
_QUOTE = re.compile(r'\\.|(")', re.DOTALL)


def decode_head(key: str) -> Labels:
    """Return the labels of a source.

    Its key is the beginning of its lines and the field, or, where something is escaped there, JSON of what that means.
    """
    head, _, field = key.partition(SEPARATOR)
    if head:
        line = parse_line(f"{head} f=0")
        return _name(line, field)
    line, field = orjson.loads(field)
    return _name(line, field)


def _name(line: Mapping[str, Any], field: str) -> Labels:
    return {**line["tags"], NAME: line["measurement"], FIELD: field}


def read_lines(content: bytes, nanoseconds: int, now: int, table: SourceTable[str]) -> SampleBatch:
    """Read lines. Raises SampleError, which names the first bad one by its number from 1.

    Args:
        nanoseconds: of the unit in which timestamps are written
        now: microseconds UTC, the time of lines without one
        table: of the sources
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        raise SampleError(f"the body is not UTF-8, at byte {e.start}") from e
    if SEPARATOR in text:
        raise SampleError("the body holds a NUL character")
    slots: list[int] = []
    stamps: list[int] = []
    values: list[float] = []
    known = table.slots
    for number, line in _split(text):
        try:
            parsed = parse_line(line)
        except LineFormatError as e:
            raise _refuse(number, line, str(e)) from e
        time = parsed["time"]
        stamp = now if time is None else time * nanoseconds // 1000
        head = line[: line.index(" ")] if "\\" not in line else ""
        for field, value in parsed["fields"].items():
            if value.__class__ is not str:
                key = f"{head}{SEPARATOR}{field}" if head else _spell_key(parsed, field)
                slot = known.get(key)
                slots.append(table.add(key) if slot is None else slot)
                stamps.append(stamp)
                values.append(value)
    return build_batch(table, slots, stamps, values)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers from 1, without comments and empty ones; a quoted text may hold line breaks."""
    open_parts: list[str] = []
    first = 0
    has_quotes = '"' in text
    for number, part in enumerate(text.split("\n"), 1):
        if not open_parts:
            first = number
            part = part.strip(" \r")
            if not part or part[0] == "#":
                continue
        is_cut = has_quotes and sum(1 for match in _QUOTE.finditer(part) if match[1]) % 2 == 1
        if is_cut != bool(open_parts):
            open_parts.append(part)
            continue
        yield first, "\n".join([*open_parts, part])
        open_parts = []
    if open_parts:
        raise _refuse(first, open_parts[0], "a quoted text has no end")


def _spell_key(line: Mapping[str, Any], field: str) -> str:
    said = {name: line[name] for name in ("measurement", "tags")}
    return SEPARATOR + orjson.dumps([said, field]).decode()


def _refuse(number: int, line: str, why: str) -> SampleError:
    reason = why.rstrip(".")
    return SampleError(
        f"line {number}: {reason[:1].lower()}{reason[1:]}: {line[:LONGEST_SHOWN]!r}; write lines such as "
        "measurement,tag=value field=1.5 1704067200000000000"
    )
