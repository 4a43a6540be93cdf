"""The header of a table: its columns, and what is said of one that names them otherwise."""

import pytest

from app.errors import Invalid
from app.formats.header import ColumnPlaces, locate_columns


def test_columns_are_found_in_any_order() -> None:
    assert locate_columns(["y", " ds ", "unique_id", "temp"]) == ColumnPlaces(2, 1, 0, {"temp": 3})
    assert locate_columns(["unique_id", "ds", "temp"]) == ColumnPlaces(0, 1, None, {"temp": 2})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("unique_id;ds;y", "by commas instead of semicolons"),
        ("unique_id\tds\ty", "by commas instead of tabs"),
        (",unique_id,ds,y", "unnamed first column, as DataFrame.to_csv writes its index; send index=False"),
        ("Unnamed: 0,unique_id,ds,y", "send index=False"),
        ("unique_id,ds,,y", "the name of column 3 is empty"),
        ("unique_id,ds,y,temp,temp", "'temp' is repeated"),
        ("unique_id,ds", "missing: y"),
        ("unique_id,date,y", "missing: ds; it names 'unique_id', 'date', 'y'; rename 'date' to ds"),
        ("item_id,timestamp,target", "rename 'item_id' to unique_id; rename 'timestamp' to ds; rename 'target' to y"),
        ("date,value", "missing: unique_id, ds, y; it names 'date', 'value'; rename 'date' to ds; rename 'value' to y"),
        ("date,value", "add a column unique_id with the id of each row's series"),
        ("unique_id,ds,Y", "rename 'Y' to y"),
        ("unique_id,ds,value", "rename 'value' to y"),
        ("id,time,y", "rename 'id' to unique_id; rename 'time' to ds"),
    ],
)
def test_what_seems_to_be_meant_is_named(header: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        locate_columns(header.split(","))
    assert said in refused.value.detail
    assert refused.value.code == "csv_malformed"
