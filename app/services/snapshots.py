"""The data that a job trains on, kept from its first attempt on, so that a later one continues on the same."""

import json
from collections.abc import Sequence

from safetensors.numpy import load, save

from models.calendar import Grid, parse_frequency
from models.windows import Panel, Series


def to_bytes(panel: Panel) -> bytes:
    """Write a panel as safetensors with a JSON header."""
    records = [
        {"id": one.id, "timezone": one.grid.timezone, "anchor": one.grid.anchor, "start": one.start}
        for one in panel.series
    ]
    header = {"panel": json.dumps({"frequency": panel.frequency.alias, "series": records})}
    return save({str(i): one.y for i, one in enumerate(panel.series)}, metadata=header)


def from_bytes(data: bytes) -> Panel:
    """Read what `to_bytes` wrote."""
    arrays = load(data)
    length = int.from_bytes(data[:8], "little")
    document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["panel"])
    frequency = parse_frequency(document["frequency"])
    series: Sequence[Series] = [
        Series(r["id"], arrays[str(i)], Grid(frequency, r["timezone"], r["anchor"]), r["start"])
        for i, r in enumerate(document["series"])
    ]
    return Panel(frequency, tuple(series))
