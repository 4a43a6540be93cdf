"""Batches that wait in memory or in a file."""

import numpy as np
import pyarrow as pa
import pytest

from app.errors import TooLarge
from app.services.ingest.spill import PARTITIONS, PartitionedRows, Spill

SMALL = 100
"""bytes, which no batch stays below"""


def make_batch(code: list[int], **columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"code": pa.array(code, pa.int32()), **columns})


@pytest.mark.parametrize("limit", [SMALL, 10**9])
def test_a_spill_returns_the_batches_of_a_partition_in_their_order(limit: int) -> None:
    spill = Spill(limit)
    batches = [make_batch([i] * 50, x=pa.array([float(i)] * 50 if i % 2 else [str(i)] * 50)) for i in range(6)]
    for i, batch in enumerate(batches):
        spill.add(i % 2, batch)
    assert spill.load(0) == batches[::2]
    assert spill.load(1) == batches[1::2]
    assert spill.load(7) == []
    spill.close()


@pytest.mark.parametrize("limit", [SMALL, 4_000, 10**9])
def test_all_rows_of_a_series_come_at_once_and_in_their_order(limit: int) -> None:
    rng = np.random.default_rng(1)
    code = rng.integers(0, 3 * PARTITIONS, 5000)
    rows = PartitionedRows(limit)
    for at in range(0, len(code), 300):
        part = code[at : at + 300]
        rows.add(make_batch(part.tolist(), row=pa.array(np.arange(at, at + len(part)))))
    seen: dict[int, list[int]] = {}
    for batches in rows.read():
        table = pa.Table.from_batches(batches)
        here: dict[int, list[int]] = {}
        for series, row in zip(table["code"].to_pylist(), table["row"].to_pylist(), strict=True):
            here.setdefault(series, []).append(row)
        assert not here.keys() & seen.keys()
        seen |= here
    assert seen == {series: np.flatnonzero(code == series).tolist() for series in np.unique(code).tolist()}
    rows.close()


def test_no_rows_are_no_partition() -> None:
    assert list(PartitionedRows().read()) == []


def test_columns_may_change_their_type_between_batches() -> None:
    rows = PartitionedRows(SMALL)
    rows.add(make_batch([1, 2] * 20, c0=pa.array([1.5] * 40)))
    rows.add(make_batch([1, 2] * 20, c0=pa.array(["x"] * 40)))
    loaded = [[value for batch in batches for value in batch.column("c0").to_pylist()] for batches in rows.read()]
    assert loaded == [[1.5] * 20 + ["x"] * 20] * 2
    rows.close()


def test_a_table_that_is_too_large_is_refused_while_it_is_read() -> None:
    rows = PartitionedRows(SMALL, most=10_000)
    batch = make_batch([1, 2] * 200, x=pa.array([1.0] * 400))
    rows.add(batch)
    rows.add(batch)
    with pytest.raises(TooLarge, match="more than 10000 bytes"):
        rows.add(batch)
    rows.close()
