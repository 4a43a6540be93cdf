"""Parsers of tables: whole imports, that write nothing."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from app.errors import ServiceError
from app.formats.signatures import HEAD, find_format
from app.formats.table import TableFormat, TableOptions
from app.services.ingest.options import TableUpload
from app.services.ingest.report import ImportOptions
from app.services.ingest.service import ImportService
from app.storage import keys
from benchmarks.fuzzing_inputs import Grammar, damage, of_grammar
from benchmarks.fuzzing_run import Opener, Parse, Target, open_database


def open_import(format: TableFormat) -> Opener:
    """Return what opens an import of tables that writes nothing: it reads and checks everything."""

    @contextmanager
    def open_parser() -> Iterator[Parse]:
        with open_database() as database:
            service = ImportService(database)
            with database.read() as session:
                scope = keys.get_default_scope(session)

            def parse(data: bytes) -> None:
                random = Random(data[:1000])
                find_quietly(data)
                upload = TableUpload(io.BytesIO(data), format, choose_table_options(random, format))
                service.run(scope, upload, choose_import_options(random), None)

            yield parse

    return open_parser


def find_quietly(data: bytes) -> None:
    """Ask the first bytes which format they are of."""
    try:
        find_format(data[:HEAD])
    except ServiceError:
        return


def choose_table_options(random: Random, format: TableFormat) -> TableOptions:
    """Return how a table is to be read; mostly by what it shows itself."""
    if random.random() < 0.6:
        return TableOptions()
    layout: Any = random.choice((None, None, None, "long", "wide"))
    columns = random.choice(({}, {}, {}, {"ds": "unique_id"}, {"a": "ds", "y": ""}, {"date": "ds", "value": "y"}))
    if format is not TableFormat.csv:
        return TableOptions(layout, columns=columns)
    delimiter = random.choice((None, None, None, ";", "\t", " "))
    decimal: Any = random.choice((None, None, None, ",", "."))
    encoding = random.choice((None, None, None, "utf-8", "windows-1252", "utf-16"))
    return TableOptions(layout, delimiter, decimal, encoding, columns)


def choose_import_options(random: Random) -> ImportOptions:
    """Return what is to be done with a table."""
    if random.random() < 0.5:
        return ImportOptions(None, None, None, True, "skip", "last")
    on_error: Any = random.choice(("skip", "abort"))
    on_duplicate: Any = random.choice(("error", "last", "mean"))
    ambiguous: Any = random.choice(("raise", "infer"))
    return ImportOptions(
        freq=random.choice((None, None, "h", "D", "W-SUN", "MS", "B")),
        timezone=random.choice((None, None, "Europe/Berlin", "America/St_Johns")),
        ds_start=random.choice((None, None, None, None, "2024-01-01")),
        dry_run=True,
        on_error=on_error,
        on_duplicate=on_duplicate,
        ambiguous=ambiguous,
        ds_format=random.choice((None, None, None, None, "%d.%m.%Y", "epoch_s", "%Y-W%V", "%I:%M %p %d %b %y")),
    )


def make_csv_seeds() -> list[bytes]:
    """Return tables in CSV."""
    long = "unique_id,ds,y,temp,kind\na,2024-01-01,1,2.5,x\na,2024-01-02,2,,y\nb,2024-01-01T00:00:00Z,NA,3,x\n"
    wide = "ds;a;b\n01.02.2024 10:00;1,5;2,5\n01.02.2024 11:00;;3,5\n"
    quoted = 'unique_id,ds,y\n"a,b",2024-01-01,"1"\n"say ""no""",2024-01-02,2\n"line\nbreak",2024-01-03,3\n'
    index = ",unique_id,ds,y\n0,a,2024-01,1\n1,a,2024-02,2\n"
    texts = [long, wide, quoted, index, f"sep=;\n{wide}", long.replace(",", "\t")]
    return [
        *(text.encode() for text in texts),
        wide.encode("utf-16"),
        long.encode("utf-8-sig"),
        b"unique_id,ds,y\n\xe4,1,2",
    ]


_CSV: Grammar = {
    "start": ["unique_id,ds,y\na,2024-01-01,1\n", "<header>\n<row>\n<row>\n<row>", "<header>\r\n<row>\r\n<row>",
              "sep=;\n<header>\n<row>"],
    "header": ["unique_id,ds,y", "ds,a,b", "unique_id;ds;y", "id,date,value", "unique_id,ds,y,x,z", "unique_id,ds,ds",
               "ds", ",ds,y", "\"unique_id\",\"ds\",\"y\""],
    "row": ["<cell>,<cell>,<cell>", "<id>,<ds>,<y>", "<id>,<ds>,<y>,<cell>,<cell>", "<id>;<ds>;<y>", "<ds>,<y>,<y>",
            "<cell>", ""],
    "id": ["a", "b", "\"a,b\"", "nan", "", " a ", "a/import", "\"a\nb\"", "x" * 201],
    "ds": ["2024-01-01", "2024-01-02", "2024-01-03T02:00", "1704067200", "01/02/2024", "2024-W05", "2024-Q1",
           "Jan 2024", "45000", "", "0001-01-01", "9999-12-31"],
    "y": ["1", "2.5", "1,5", "NA", "", "1e400", "-inf", "1.234.567,8", "true", "#N/A", "x"],
    "cell": ["", "\"", "\"\"", "\"a", "a\"b", "\x00", "x", "1", "é"],
}  # fmt: skip


def make_ndjson_seeds() -> list[bytes]:
    """Return tables in NDJSON."""
    rows = [{"unique_id": "a", "ds": f"2024-01-0{i}", "y": i, "temp": i / 2, "kind": "x"} for i in range(1, 5)]
    odd = b'{"unique_id": 1, "ds": 1704067200, "y": NaN}\n{"unique_id": 2, "ds": 1704070800, "y": true}\n'
    wide = b'{"ds": "2024-01-01", "a": 1, "b": null}\r\n{"ds": "2024-01-02", "a": 12345678901234567890, "b": 2.5}\n'
    return [b"".join(json.dumps(row).encode() + b"\n" for row in rows), odd, wide, b"\xef\xbb\xbf" + odd]


_NDJSON: Grammar = {
    "start": ["{<fields>}", "{<fields>}\n{<fields>}\n{<fields>}", "<value>\n{<fields>}"],
    "fields": ['"unique_id": "a", "ds": "2024-01-01", "y": 1', '"unique_id": <value>, "ds": <value>, "y": <value>',
               '"unique_id": "a", "ds": <value>, "y": <value>, "<name>": <value>', '"ds": <value>, "a": <value>', ""],
    "name": ["x", "", "__index_level_0__", "ds", "\\u0000", "\\ud800", "y"],
    "value": ["1", "-0", "1e400", "NaN", "-Infinity", "null", "true", '"a"', '"2024-01-01"', '"\\ud800"', "[1]", "{}",
              "9" * 30,
              "1704067200000", '"\\u0000"', "1.5", "[[[[[[1]]]]]]", '"nan"'],
}  # fmt: skip


def make_columns() -> list[dict[str, Any]]:
    """Return tables as columns of Arrow, of many types."""
    import pyarrow as pa

    ids = ["a", "a", "b"]
    days = pa.array([19723, 19724, 19725], pa.date32())
    stamps = pa.array([1_704_067_200, 1_704_070_800, None], pa.timestamp("s", "Europe/Berlin"))
    text = pa.array(["2024-01-01", "2024-01-02", None])
    floats = pa.array([1.0, float("nan"), None])
    return [
        {"unique_id": ids, "ds": days, "y": floats},
        {"unique_id": pa.array(ids).dictionary_encode(), "ds": stamps, "y": pa.array([1, 2, 3], pa.uint8()), "x": text},
        {"unique_id": pa.array([1, 2, 3]), "ds": pa.array([1.0, 2.0, 3.0]), "y": pa.array([True, False, None])},
        {"ds": text, "a": pa.array([1, 2, 3], pa.decimal128(9, 2)), "b": pa.array([1.5, 2.5, 3.5], pa.float16())},
        {"unique_id": pa.array(ids, pa.large_string()), "ds": text.dictionary_encode(), "y": pa.nulls(3)},
    ]


def make_parquet_seeds() -> list[bytes]:
    """Return tables in Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    seeds = []
    for columns in make_columns():
        for options in (
            {"compression": "none"},
            {"compression": "snappy", "data_page_version": "2.0"},
            {"compression": "zstd"},
        ):
            sink = io.BytesIO()
            pq.write_table(pa.table(columns), sink, **options)
            seeds.append(sink.getvalue())
    return seeds


def make_arrow_seeds() -> list[bytes]:
    """Return tables in both of Arrow's formats."""
    import pyarrow as pa

    seeds = []
    views = {
        "unique_id": pa.array(["a", "a" * 20, "b"], pa.string_view()),
        "ds": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["2024-01-01", "2024-01-02"])),
        "y": pa.array([1.0, 2.0, 3.0]),
    }
    for columns in [*make_columns(), views]:
        table = pa.table(columns)
        for compression in (None, "lz4", "zstd"):
            for open_writer in (pa.ipc.new_stream, pa.ipc.new_file):
                sink = io.BytesIO()
                with open_writer(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
                    writer.write_table(table)
                seeds.append(sink.getvalue())
    return seeds


_STRINGS = (
    "a",
    "b",
    "",
    " a ",
    "2024-01-01",
    "2024-01-02T03:04:05Z",
    "1,5",
    "nan",
    "x" * 201,
    "\x00",
    "é" * 50,
    "1e400",
)


def make_column(random: Random, rows: int) -> Any:
    """Return a column of Arrow of any type that tables have, and of some that they have not."""
    import pyarrow as pa

    numbers = [random.choice((None, 0, 1, -1, 2, 100, random.randrange(128))) for _ in range(rows)]
    match random.randrange(9):
        case 0:
            column = pa.array(numbers, pa.int8()).cast(
                random.choice((pa.int16(), pa.int64(), pa.float32(), pa.float64()))
            )
        case 1:
            unit = random.choice(("s", "ms", "us", "ns"))
            large = [None if number is None else number * random.choice((1, 86_400, 10**15)) for number in numbers]
            column = pa.array(large, pa.int64()).cast(
                pa.timestamp(unit, random.choice((None, "UTC", "Europe/Berlin", "+01:00")))
            )
        case 2:
            column = pa.array(numbers, pa.int32()).view(random.choice((pa.date32(), pa.time32("s"), pa.int32())))
        case 3:
            column = pa.array(numbers, pa.decimal128(12, 3))
        case 4:
            column = pa.array([None if number is None else number > 0 for number in numbers])
        case 5:
            column = pa.array([None if number is None else [number] for number in numbers], pa.list_(pa.int64()))
        case _:
            kind = random.choice((pa.string(), pa.large_string(), pa.string_view(), pa.binary()))
            column = pa.array([random.choice((*_STRINGS, None)) for _ in range(rows)], pa.string()).cast(kind)
    return column.dictionary_encode() if random.random() < 0.2 and not pa.types.is_nested(column.type) else column


def make_table(random: Random) -> Any:
    """Return a table of Arrow, mostly with the names that tables have."""
    import pyarrow as pa

    rows = random.choice((0, 1, 3, 20))
    names = list(
        random.choice((("unique_id", "ds", "y"), ("unique_id", "ds", "y", "x", "z"), ("ds", "a", "b"), ("ds", "ds")))
    )
    if random.random() < 0.1:
        names[random.randrange(len(names))] = random.choice(_STRINGS)
    usual = {"unique_id": pa.array(["a"] * rows), "ds": pa.array(range(0, 3600 * rows, 3600), pa.timestamp("s"))}
    columns = [usual[name] if name in usual and random.random() < 0.6 else make_column(random, rows) for name in names]
    return pa.Table.from_arrays(columns, names)


def build_parquet(random: Random) -> bytes:
    """Return a table in Parquet, of which a byte may be wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = {
        "compression": random.choice(("none", "snappy", "zstd", "gzip", "lz4", "brotli")),
        "data_page_version": random.choice(("1.0", "2.0")),
        "use_dictionary": random.random() < 0.5,
        "data_page_size": random.choice((1, 100, 1_000_000)),
        "row_group_size": random.choice((1, 7, 1000)),
        "store_schema": random.random() < 0.7,
        "version": random.choice(("1.0", "2.4", "2.6")),
    }
    sink = io.BytesIO()
    try:
        pq.write_table(make_table(random), sink, **options)
    except pa.ArrowException:  # of types that Parquet has not
        return b"PAR1"
    return damage(random, sink.getvalue())


def build_arrow(random: Random) -> bytes:
    """Return a table in one of Arrow's formats, of which a byte may be wrong."""
    import pyarrow as pa

    table = make_table(random)
    options = pa.ipc.IpcWriteOptions(compression=random.choice((None, "lz4", "zstd")), emit_dictionary_deltas=True)
    sink = io.BytesIO()
    with random.choice((pa.ipc.new_stream, pa.ipc.new_file))(sink, table.schema, options=options) as writer:
        for batch in table.to_batches(max_chunksize=random.choice((1, 7, 1000))):
            writer.write_batch(batch)
    return damage(random, sink.getvalue())


TARGETS = (
    Target(
        "CSV",
        open_import(TableFormat.csv),
        make_csv_seeds,
        (ServiceError,),
        of_grammar(_CSV),
        is_text=False,
        most_mb=100,
    ),
    Target(
        "NDJSON",
        open_import(TableFormat.ndjson),
        make_ndjson_seeds,
        (ServiceError,),
        of_grammar(_NDJSON),
        is_text=False,
        most_mb=100,
    ),
    Target(
        "Parquet",
        open_import(TableFormat.parquet),
        make_parquet_seeds,
        (ServiceError,),
        build_parquet,
        is_text=False,
        most_mb=1200,
    ),
    Target(
        "Arrow",
        open_import(TableFormat.arrow),
        make_arrow_seeds,
        (ServiceError,),
        build_arrow,
        is_text=False,
        most_mb=600,
    ),
)
"""parsers of tables"""
