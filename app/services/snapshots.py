"""What a job trains on and how, kept from its first attempt on: a later one continues on the same, to the same bits,
whatever was observed, configured or released in between."""

import json
from dataclasses import dataclass

from safetensors.numpy import load, save

from models.calendar import Grid, parse_frequency
from models.config import Config
from models.windows import Panel, Series


@dataclass(frozen=True)
class Snapshot:
    """The data and the configuration of a job."""

    panel: Panel
    config: Config

    def to_bytes(self) -> bytes:
        """Write it as safetensors with a JSON header."""
        series = [
            {"id": one.id, "timezone": one.grid.timezone, "anchor": one.grid.anchor, "start": one.start}
            for one in self.panel.series
        ]
        header = {"config": json.dumps(self.config.to_dict()), "series": json.dumps(series)}
        return save({str(i): one.y for i, one in enumerate(self.panel.series)}, metadata=header)

    @staticmethod
    def from_bytes(data: bytes) -> "Snapshot":
        """Read what `to_bytes` wrote."""
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")  # the format: eight bytes of length, then a JSON header
        header = json.loads(data[8 : 8 + length])["__metadata__"]
        config = Config.from_dict(json.loads(header["config"]))
        frequency = parse_frequency(config.frequency)
        series = [
            Series(r["id"], arrays[str(i)], Grid(frequency, r["timezone"], r["anchor"]), r["start"])
            for i, r in enumerate(json.loads(header["series"]))
        ]
        return Snapshot(Panel(frequency, tuple(series)), config)
