"""The table of benchmarks.data, and how it tells what an import has lost or doubled."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.data_table import SalesTable, prepare_table

DAY = 86_400_000_000


@pytest.fixture
def table(tmp_path: Path) -> SalesTable:
    days = pd.date_range("2015-03-03", periods=3).date
    columns = {
        "unique_id": pa.array(["b", "b", "b", "a", "a", "c"]).dictionary_encode(),
        "ds": pa.array([*days, *days[:2], days[2]], pa.date32()),
        "y": pa.array([1.0, 2.0, 3.0, 10.0, 20.0, 5.0], pa.float32()),
        "split": pa.array(["train"] * 6),
    }
    pq.write_table(pa.table(columns), tmp_path / "m5.parquet")
    return prepare_table(tmp_path / "m5.parquet", tmp_path, series=2)


def test_the_first_series_are_cut_off_with_all_their_rows(table: SalesTable) -> None:
    assert table.ids == ["b", "a"]
    assert table.rows == 5
    first = int(pd.Timestamp("2015-03-03").value // 1000)
    assert table.summarize() == {"b": (3, first, first + 2 * DAY, 6.0), "a": (2, first, first + DAY, 30.0)}


def test_both_files_hold_the_table_without_the_split(table: SalesTable) -> None:
    frames = [pd.read_parquet(table.files["parquet"]), pd.read_csv(table.files["csv"])]
    for frame in frames:
        assert list(frame) == ["unique_id", "ds", "y"]
        assert frame["unique_id"].tolist() == ["b", "b", "b", "a", "a"]
        assert frame["y"].tolist() == [1.0, 2.0, 3.0, 10.0, 20.0]
        assert frame["ds"].astype(str).tolist()[0] == "2015-03-03"
