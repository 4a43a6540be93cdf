"""Wide tables, in every format."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from app.formats.reading import open_table
from tests.formats.tables import FORMATS, read, refuse, tell, write

DS = ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("format", FORMATS)
def test_each_column_is_a_series(format: Any) -> None:
    body = write(format, {"ds": DS, "b": [1.5, None, 3], "a": [4.0, 5, 6]})
    for layout in (None, "wide"):
        opened, rows, errors = read(body, format, layout=layout)
        assert (opened.layout, opened.has_y, opened.covariates, errors) == ("wide", True, [], [])
        assert [(row[0], row[1], row[2]) for row in rows] == [(i + 1, name, DS[i]) for name in "ba" for i in range(3)]
        assert [float(row[3] or "nan") for row in rows] == pytest.approx([1.5, np.nan, 3, 4, 5, 6], nan_ok=True)
        assert tell(opened) == ({"layout": "wide"} if layout is None else {})


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_of_very_many_columns_comes_in_small_batches(format: Any) -> None:
    import io

    from app.formats.table import TableOptions

    names = [f"s{i}" for i in range(3000)]
    body = write(format, {"ds": list(range(50)), **{name: [float(i)] * 50 for i, name in enumerate(names)}})
    seen: dict[str, list[float]] = {name: [] for name in names}
    rows = 0
    for batch in open_table(io.BytesIO(body), format, TableOptions()).batches:
        assert len(batch.rows) <= 65_536
        rows += batch.count
        for name, y in zip(batch.unique_id.to_pylist(), batch.y.to_pylist(), strict=True):
            seen[name].append(float(y))
    assert rows == 50
    assert seen == {name: [float(i)] * 50 for i, name in enumerate(names)}


def test_a_cell_that_is_wrong_is_an_error_of_its_row() -> None:
    _, rows, errors = read(f"ds,a,b\n1,2,{'9' * 201}\n2,3,4\n3,4\n")
    assert [row[:2] for row in rows] == [(1, "a"), (2, "a"), (2, "b")]
    assert sorted((error.row, error.code) for error in errors) == [(1, "invalid_value"), (3, "csv_malformed")]


@pytest.mark.parametrize(
    ("text", "layout", "said"),
    [
        ("ds,y\n1,2\n", None, "of a table with a column a series send layout=wide"),
        ("ds,value\n1,2\n", None, "columns=value:y"),
        ("ds,item_id,x\n1,2,3\n", None, "columns=item_id:unique_id"),
        ("date,a,b\n1,2,3\n", "wide", "send columns=date:ds"),
        ("when,a,b\n1,2,3\n", "wide", "columns=NAME:ds"),
        ("unique_id,ds,y\n1,2,3\n", "wide", "send layout=long"),
        ("ds,\n1,2\n", "wide", "is empty"),
        ("ds,a,a\n1,2,3\n", None, "'a' is repeated"),
        ("ds,a,b\n1,2,3\n", "long", "missing: unique_id, y"),
    ],
)
def test_a_layout_that_is_not_clear_is_refused(text: str, layout: Any, said: str) -> None:
    assert said in refuse(text, layout=layout)


def test_the_target_may_be_the_name_of_a_series() -> None:
    assert read("ds,y\n1,2\n", layout="wide")[1] == [(1, "y", "1", "2")]


@pytest.mark.parametrize("kind", ["string_view", "run_end_encoded"])
def test_a_row_without_a_time_is_left_out_of_columns_of_any_type(kind: str) -> None:
    texts = pa.array(["1", "2", "3"])
    column = texts.cast(pa.string_view()) if kind == "string_view" else pc.run_end_encode(texts)
    body = write("arrow", {"ds": pa.array(["2024-01-01", "x" * 201, "2024-01-03"]), "a": column})
    _, rows, errors = read(body, "arrow")
    assert [row[1:4] for row in rows] == [("a", "2024-01-01", "1"), ("a", "2024-01-03", "3")]
    assert [error.row for error in errors] == [2]
