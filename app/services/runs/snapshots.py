"""What a job trains on and how, kept from its first attempt on: a later one continues on the same, to the same bits,
whatever was observed, configured or released in between."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from models.calendar.frequency import Frequency, parse_frequency
from models.calendar.grid import Grid
from models.config.model import Config
from models.data.aggregation import AggregationRecord
from models.data.series import Panel, Series
from models.inference.published import read_header

Arrays = dict[str, NDArray[Any]]
Vocabularies = dict[str, list[str]]


@dataclass(frozen=True)
class Snapshot:
    """The data and the configuration of a job."""

    panel: Panel
    config: Config
    record: AggregationRecord = field(default_factory=AggregationRecord)
    """what was done to the stored series before they were those of the panel"""

    def to_bytes(self) -> bytes:
        """Write it as safetensors with a JSON header. Text is kept as codes of a vocabulary, -1 where missing."""
        levels = _vocabularies(self.panel)
        arrays: Arrays = {}
        for i, item in enumerate(self.panel.series):
            arrays[f"{i}"] = item.y
            arrays |= {f"{i}/{name}": _coded(column, levels.get(name, [])) for name, column in item.covariates.items()}
        series = [_record(item) for item in self.panel.series]
        documents = {"config": self.config.to_dict(), "levels": levels, "series": series, "record": asdict(self.record)}
        return save(arrays, metadata={name: json.dumps(document) for name, document in documents.items()})

    @staticmethod
    def from_bytes(data: bytes) -> "Snapshot":
        """Read what `to_bytes` wrote."""
        arrays = load(data)
        header = read_header(data)
        config = Config.from_dict(json.loads(header["config"]))
        frequency = parse_frequency(config.frequency)
        levels = json.loads(header["levels"])
        records = enumerate(json.loads(header["series"]))
        series = [_series(record, str(i), arrays, levels, frequency) for i, record in records]
        record = AggregationRecord(**json.loads(header.get("record", "{}")))  # older ones have none
        return Snapshot(Panel(frequency, tuple(series)), config, record)


def _record(item: Series) -> dict[str, Any]:
    return {
        "id": item.id,
        "timezone": item.grid.timezone,
        "anchor": item.grid.anchor,
        "start": item.start,
        "covariates": list(item.covariates),
        "static": dict(item.static),
    }


def _series(record: Mapping[str, Any], key: str, arrays: Arrays, levels: Vocabularies, frequency: Frequency) -> Series:
    names = record["covariates"]
    return Series(
        record["id"],
        arrays[key],
        Grid(frequency, record["timezone"], record["anchor"]),
        record["start"],
        {name: _decoded(arrays[f"{key}/{name}"], levels.get(name, [])) for name in names},
        record["static"],
    )


def _vocabularies(panel: Panel) -> Vocabularies:
    """Return the levels of each covariate that is text."""
    vocabularies: dict[str, set[str]] = {}
    for item in panel.series:
        for name, column in item.covariates.items():
            if column.dtype == object:
                vocabularies.setdefault(name, set()).update(level for level in column.tolist() if level is not None)
    return {name: sorted(levels) for name, levels in vocabularies.items()}


def _coded(column: NDArray[Any], levels: list[str]) -> NDArray[Any]:
    if column.dtype != object:
        return column
    codes = {level: code for code, level in enumerate(levels)}
    return np.array([-1 if level is None else codes[level] for level in column.tolist()], np.int32)


def _decoded(column: NDArray[Any], levels: list[str]) -> NDArray[Any]:
    return np.array([*levels, None], object)[column] if column.dtype == np.int32 else column
