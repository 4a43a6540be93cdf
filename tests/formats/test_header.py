"""The names of a table's columns: which column is which, and what is said of those that name them otherwise."""

import pytest

from app.errors import ErrorCode
from app.formats.header import MOST_COVARIATES, ColumnPlaces, WidePlaces, explain_name, place_columns
from app.formats.table import TableOptions
from tests.formats.tables import read, refuse


def place(*names: str) -> ColumnPlaces | WidePlaces:
    return place_columns(names, TableOptions(), ErrorCode.csv_malformed)[0]


def test_columns_are_found_in_any_order() -> None:
    assert place("y", "ds", "unique_id", "temp") == ColumnPlaces(2, 1, 0, {"temp": 3})
    assert place("unique_id", "ds", "temp") == ColumnPlaces(0, 1, None, {"temp": 2})
    assert place("b", "ds", "a") == WidePlaces(1, {"b": 0, "a": 2})
    assert place("", "unique_id", "ds", "y") == ColumnPlaces(1, 2, 3, {})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "missing: unique_id, ds, y"),
        ("unique_id,ds,,y", "the name of column 3 is empty"),
        ("unique_id,ds,y,", "the name of the last column is empty"),
        ("unique_id,ds,y,y", "the name 'y' is repeated"),
        ("unique_id,ds,y,temp,temp", "'temp' is repeated"),
        ("unique_id,ds,y," + "n" * 201, "the name of column 4 has more than 200 characters"),
        ("unique_id,ds,y,te\x07mp", "the name of column 4 has more than 200 characters, or unprintable ones"),
        ("unique_id,ds", "missing: y"),
        ("unique_id,date,y", "missing: ds; it names 'unique_id', 'date', 'y'; rename 'date' to ds"),
        ("item_id,timestamp,target", "rename 'item_id' to unique_id; rename 'timestamp' to ds; rename 'target' to y"),
        ("item_id,timestamp,target", "or send columns=item_id:unique_id,timestamp:ds,target:y"),
        ("date,value", "missing: unique_id, ds, y; it names 'date', 'value'; rename 'date' to ds; rename 'value' to y"),
        ("date,value", "add a column unique_id with the id of each row's series"),
        ("unique_id,ds,Y", "rename 'Y' to y"),
        ("unique_id,ds,value", "rename 'value' to y"),
        ("id,time,y", "rename 'id' to unique_id; rename 'time' to ds"),
        ("Unnamed: 0,unique_id,date,y", "unnamed first column, as DataFrame.to_csv writes its index; send index=False"),
    ],
)
def test_what_seems_to_be_meant_is_named(header: str, said: str) -> None:
    cells = ",".join("1" for _ in header.split(","))
    assert said in refuse(f"{header}\n{cells}\n")


def test_names_that_tables_have_for_other_columns() -> None:
    for name in ("temp", "air/temp (°C)", "unnamed: 0", "Y"):
        assert explain_name(name) is None
        opened, rows, _ = read(f'unique_id,ds,y,"{name}"\na,1,2,3\n')
        assert (opened.covariates, rows) == ([name], [(1, "a", "1", "2", "3")])
    assert "'ds_2'" in (explain_name("ds") or "")
    opened, _, _ = read("unique_id,ds,y,__index_level_0__\na,1,2,3\n")
    assert opened.covariates == []
    assert "'index_level_0_2'" in refuse("unique_id,ds,y,c\na,1,2,3\n", columns={"c": "__index_level_0__"})


def test_covariates_are_bounded_and_series_of_a_wide_table_are_not() -> None:
    names = [f"c{k}" for k in range(MOST_COVARIATES + 1)]
    assert "1001 covariates, the limit is 1000" in refuse(",".join(["unique_id,ds,y", *names]) + "\n")
    place("unique_id", "ds", "y", *names[1:])
    place("ds", *names)


def test_a_long_list_of_columns_is_looked_for_once() -> None:
    names = ["unique_id", "ds", "y", *(f"c{k}" for k in range(200_000))]
    columns = {f"c{k}": "" for k in range(1, 200_000)}
    places, _ = place_columns(names, TableOptions(columns=columns), ErrorCode.csv_malformed)
    assert places == ColumnPlaces(0, 1, 2, {"c0": 3})
