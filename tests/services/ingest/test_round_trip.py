"""What is imported is exported again, whatever the frequency, the timezone, the values and the format."""

import io
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FREQUENCIES = (
    "min",
    "15min",
    "30min",
    "h",
    "4h",
    "D",
    "2D",
    "B",
    "W-SUN",
    "W-WED",
    "MS",
    "ME",
    "QS-FEB",
    "QE",
    "YS",
    "YE",
)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo")
TYPES = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_numbers = itertools.count()


@dataclass(frozen=True)
class Tables:
    """The same series as every format has them."""

    freq: str
    timezone: str
    frame: pd.DataFrame
    """unique_id, ds (aware), y, and covariates"""

    def write(self, kind: str) -> bytes:
        """Return the table in a format, as its usual writer has it."""
        sink = io.BytesIO()
        if kind == "csv":
            frame = self.frame.assign(ds=[stamp.isoformat() for stamp in self.frame["ds"]])
            return frame.to_csv(index=False).encode()
        if kind == "ndjson":
            frame = self.frame.assign(ds=[stamp.isoformat() for stamp in self.frame["ds"]])
            return frame.to_json(orient="records", lines=True, double_precision=15).encode()
        frame = self.frame.assign(ds=self.frame["ds"].dt.as_unit("us"))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if kind == "parquet":
            pq.write_table(table, sink)
            return sink.getvalue()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()


VALUES = st.none() | st.floats(-1e6, 1e6).map(lambda number: round(number, 4) + 0.0)
TEXTS = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@st.composite
def draw_tables(draw: st.DrawFn) -> Tables:
    """Draw one or two series with gaps, missing values, and up to two covariates."""
    freq = draw(st.sampled_from(FREQUENCIES))
    timezone = draw(st.sampled_from(ZONES))
    start = draw(st.datetimes(pd.Timestamp(2019, 1, 1), pd.Timestamp(2024, 6, 1)))
    number = next(_numbers)
    frames = []
    for i in range(draw(st.integers(1, 2))):
        ds = pd.date_range(start.date(), periods=draw(st.integers(4, 12)), freq=freq, tz=timezone)
        count = len(ds)
        frame = pd.DataFrame({"unique_id": f"s{number}/{i}", "ds": ds})
        frame["y"] = pd.array(draw(st.lists(VALUES, min_size=count, max_size=count)), "Float64").to_numpy(
            float, na_value=np.nan
        )
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    if draw(st.booleans()):
        table["level"] = np.array(draw(st.lists(VALUES, min_size=len(table), max_size=len(table))), float)
        table.loc[0, "level"] = 1.5
    if draw(st.booleans()):
        texts = draw(st.lists(TEXTS, min_size=len(table), max_size=len(table)))
        table["sky"] = pd.Series(["rain, or 'snow'", *texts[1:]], dtype=object)
    kept = draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)))
    kept[:3] = [True] * 3
    return Tables(freq, timezone, table[kept].reset_index(drop=True))


def read_export(kind: str, body: bytes) -> pd.DataFrame:
    """Return an export as a frame with aware timestamps."""
    if kind == "csv":
        frame = pd.read_csv(
            io.BytesIO(body), dtype={"unique_id": str, "sky": str}, keep_default_na=False, na_values=[""]
        )
    elif kind == "ndjson":
        frame = pd.read_json(io.BytesIO(body), lines=True, dtype=False, convert_dates=False, precise_float=True)
    elif kind == "parquet":
        frame = pq.read_table(io.BytesIO(body)).to_pandas()
    else:
        frame = pa.ipc.open_stream(body).read_all().to_pandas()
    return frame.assign(ds=pd.to_datetime(frame["ds"], utc=True))


def send(client: TestClient, tables: Tables, kind: str, body: bytes) -> Any:
    params = {"freq": tables.freq, "timezone": tables.timezone}
    return client.post("/series/import", params=params, content=body, headers={"content-type": TYPES[kind]})


def export(client: TestClient, tables: Tables, kind: str) -> bytes:
    ids = [("series", series_id) for series_id in tables.frame["unique_id"].unique()]
    response = client.get("/series/export", params=[*ids, ("format", kind)])
    assert response.status_code == 200, response.text
    return response.content


@pytest.mark.parametrize("kind", TYPES)
def test_a_table_comes_back_as_it_was_sent(client: TestClient, kind: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(draw_tables())
    def check(tables: Tables) -> None:
        report = send(client, tables, kind, tables.write(kind))
        assert report.status_code == 200, report.text
        assert (report.json()["inserted"], report.json()["rejected_rows"]) == (len(tables.frame), 0)
        found = read_export(kind, export(client, tables, kind))
        expected = tables.frame.sort_values(["unique_id", "ds"], ignore_index=True)
        expected["ds"] = expected["ds"].dt.tz_convert("UTC").dt.as_unit("us")
        assert found["unique_id"].tolist() == expected["unique_id"].tolist()
        assert found["ds"].tolist() == expected["ds"].tolist()
        for name in expected.columns[2:]:
            assert compare(found, expected, name), (name, found, expected)
        # and again, from what was exported in another format
        other = export(client, tables, "csv")
        for series_id in expected["unique_id"].unique():
            assert client.delete(f"/series/{series_id}").status_code == 204
        assert send(client, tables, "csv", other).json()["inserted"] == len(expected)
        assert export(client, tables, "csv") == other

    check()


def compare(found: pd.DataFrame, expected: pd.DataFrame, name: str) -> bool:
    """Say whether a column holds the same values; a column of nothing but missing ones may be left out."""
    wanted = [None if pd.isna(value) else value for value in expected[name]]
    if name not in found:
        return not any(value is not None for value in wanted)
    return [None if pd.isna(value) else value for value in found[name]] == wanted
