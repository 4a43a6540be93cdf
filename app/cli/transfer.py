"""Commands that move tables: import and export."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.terminal import Key, Url, error_console, output_console, parse_labels, report_errors
from gatecast_client.client import DEFAULT_URL, Client
from gatecast_client.downloads import open_target
from gatecast_client.errors import ClientError
from gatecast_client.tables import SUFFIXES, Format, read_name

SHOWN_REJECTIONS = 10
"""rejected rows that are printed"""
STDIN = "-"
BARS = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())

FormatOption = Annotated[Format | None, typer.Option("--format", help="Of the table; by the file's name if absent.")]


class WatchedFile:
    """A file that shows on a bar how much of it was read, and then that the service works."""

    def __init__(self, file: IO[bytes], name: str, bar: Progress) -> None:
        self.name = name
        self._file = file
        self._bar = bar
        self._total = file.seek(0, 2)
        self._task = bar.add_task(self._describe("sending"), total=self._total)

    def _describe(self, what: str) -> str:
        return escape(f"{what} {self.name}")

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        chunk = self._file.read(size)
        at = self._file.tell()
        words = "sending" if at < self._total else "the service checks and writes"
        self._bar.update(self._task, completed=at, description=self._describe(words))
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place: to the beginning where the table is sent again."""
        return self._file.seek(offset, whence)


def import_tables(
    source: Annotated[str, typer.Argument(metavar="FILE|FOLDER|-", help="Table, folder of tables, or - for stdin.")],
    format: FormatOption = None,
    freq: Annotated[str | None, typer.Option(help="Step of new series, such as h or D; inferred if absent.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of timestamps without an offset, and of new series; UTC if absent.")
    ] = None,
    ds_start: Annotated[str | None, typer.Option(help="Timestamp of step 0 where ds holds whole numbers.")] = None,
    ds_format: Annotated[str | None, typer.Option(help="How ds is written, such as %d/%m/%Y.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names to map, such as date:ds,sales:y; an empty one leaves a column out.")
    ] = None,
    layout: Annotated[
        Literal["long", "wide"] | None, typer.Option(help="A row a series and time, or a column a series.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between the cells of a CSV.")] = None,
    decimal: Annotated[Literal[".", ","] | None, typer.Option(help="Decimal mark of a CSV.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV, such as latin-1; UTF-8 if absent.")] = None,
    ambiguous: Annotated[
        Literal["raise", "infer"] | None,
        typer.Option(help="Refuse local times that exist twice, or tell them by the order of the rows."),
    ] = None,
    empty_y: Annotated[
        Literal["missing", "keep"] | None,
        typer.Option(help="What an empty y does where a value is stored; keep, beside covariates, if absent."),
    ] = None,
    on_error: Annotated[Literal["abort", "skip"], typer.Option(help="What a bad row does.")] = "abort",
    on_duplicate: Annotated[
        Literal["error", "last", "mean"], typer.Option(help="What a repeated timestamp does.")
    ] = "error",
    dry_run: Annotated[bool, typer.Option(help="Only say what would happen.")] = False,
    keep_going: Annotated[bool, typer.Option(help="Go on with a folder after a table that is refused.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Import series from tables, each all or nothing: CSV, NDJSON, Parquet or Arrow, plain, .gz or .zst.

    A folder's tables go one after another, by name. When the connection is lost in the middle a table is sent again
    under the same key, so that nothing is imported twice.
    """
    options = {
        "freq": freq,
        "timezone": timezone,
        "ds_start": ds_start,
        "ds_format": ds_format,
        "columns": columns,
        "layout": layout,
        "delimiter": delimiter,
        "decimal": decimal,
        "encoding": encoding,
        "ambiguous": ambiguous,
        "empty_y": empty_y,
        "on_error": on_error,
        "on_duplicate": on_duplicate,
        "dry_run": dry_run,
    }
    paths = _list_sources(source, format)
    with report_errors(), Client(url, key) as client:
        _import_each(client, paths, format, options, keep_going=keep_going)


def _list_sources(source: str, format: Format | None) -> list[str]:
    """Return the paths of the tables, or `-`. Raises typer.BadParameter where there is none."""
    path = Path(source)
    if source == STDIN or path.is_file():
        return [source]
    if not path.is_dir():
        raise typer.BadParameter(f"there is no {source}", param_hint="FILE")
    files = sorted(str(one) for one in path.iterdir() if one.is_file())
    tables = [one for one in files if format is not None or read_name(one).format is not None]
    if not tables:
        known = ", ".join(SUFFIXES)
        raise typer.BadParameter(f"{source} holds no table ({known}, each also .gz or .zst)", param_hint="FOLDER")
    for other in sorted(set(files) - set(tables)):
        error_console().print(f"{escape(other)}: left out, its name is not that of a table", style="yellow")
    return tables


def _import_each(
    client: Client, paths: list[str], format: Format | None, options: dict[str, Any], *, keep_going: bool
) -> None:
    """Import one table after another and print their reports. Raises ClientError, or typer.Exit after several."""
    failed = 0
    for number, path in enumerate(paths):
        try:
            report = _import_one(client, path, format, options)
        except ClientError as e:
            failed += 1
            if not keep_going:
                if len(paths) > 1:
                    left = len(paths) - number - 1
                    error_console().print(f"{escape(path)} is refused, {left} more are left (--keep-going goes on)")
                raise
            error_console().print(f"[red]{escape(f'{path}: {e}')}[/red]")
            continue
        if len(paths) > 1:
            output_console().print(f"{escape(path)}: ", end="")
        _print_report(report, dry_run=options["dry_run"])
    if failed:
        error_console().print(f"{len(paths) - failed} of {len(paths)} tables are imported, {failed} are refused")
        raise typer.Exit(1)


def _import_one(client: Client, path: str, format: Format | None, options: dict[str, Any]) -> dict[str, Any]:
    console = error_console()
    with ExitStack() as stack:
        file = stack.enter_context(_open(path))
        if not console.is_terminal:
            return client.import_table(file, format=format, **options)
        bar = stack.enter_context(Progress(*BARS, console=console, transient=True))
        watched: Any = WatchedFile(file, "standard input" if path == STDIN else path, bar)
        return client.import_table(watched, format=format, **options)


@contextmanager
def _open(path: str) -> Iterator[IO[bytes]]:
    """Open a table; standard input is read whole first, on disk, so that it can be sent again. Raises ClientError."""
    try:
        with Path(path).open("rb") if path != STDIN else tempfile.TemporaryFile() as file:
            if path == STDIN:
                shutil.copyfileobj(sys.stdin.buffer, file)
            yield file
    except OSError as e:
        raise ClientError("The file cannot be read", str(e), "unreadable_file", "check its path") from e


def _print_report(report: dict[str, Any], *, dry_run: bool) -> None:
    verb = "would import" if dry_run else "imported"
    rejected = report.get("rejected_rows", len(report["rejected"]))
    output_console().print(
        f"{verb} {report['rows']:,} rows of {report['series']:,} series: "
        f"{report['inserted']:,} new, {report['updated']:,} replaced, {rejected:,} rejected"
    )
    for guess in report.get("guesses", []):
        option = f"--{guess['parameter'].replace('_', '-')} {guess['value']!r}"
        error_console().print(f"  taken as {escape(option)}: {escape(guess['detail'])}", style="yellow")
    for item in report.get("assumed", [])[:SHOWN_REJECTIONS]:
        detail = (
            f"{item['series_id']} has too few rows to show a frequency, and takes that of the others, {item['freq']}"
        )
        error_console().print(f"  {escape(detail)}", style="yellow")
    for row in report["rejected"][:SHOWN_REJECTIONS]:
        error_console().print(f"  row {row['row']}: {escape(str(row['detail']))}", style="yellow")
    if rejected > SHOWN_REJECTIONS:
        error_console().print(f"  and {rejected - SHOWN_REJECTIONS:,} more", style="yellow")


def export_table(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[IDS]", help="Series; all of them if absent.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Series whose ids begin so.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Series with this label, key:value; all must hold.")] = None,
    start: Annotated[str | None, typer.Option(help="First time, included.")] = None,
    end: Annotated[str | None, typer.Option(help="Last time, left out.")] = None,
    format: FormatOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File, whose name says format and compression; or stdout.")
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Write series as a table that `gatecast import` reads back."""
    if output is None and format in ("parquet", "arrow") and sys.stdout.isatty():
        raise typer.BadParameter(f"{format} is no text; name a file with --output", param_hint="--format")
    if output is not None and format is None and read_name(output.name).format is None:
        raise typer.BadParameter(f"{output.name} names no format; add --format, or end in .csv", param_hint="--output")
    selection: dict[str, Any] = {"prefix": prefix, "labels": parse_labels(label or []), "start": start, "end": end}
    name = "" if output is None else output.name
    with report_errors(), Client(url, key) as client:
        chunks = client.read_export(name, ids or [], format=format, **selection)
        count = _write_chunks(chunks, sys.stdout.buffer if output is None else output)
    if output is not None:
        error_console().print(f"wrote {count:,} bytes to {escape(str(output))}")


def _write_chunks(chunks: Iterator[bytes], target: Path | IO[bytes]) -> int:
    """Write a table as it arrives, with a bar where somebody watches; return the bytes."""
    console = error_console()
    count = 0
    bar = Progress(*BARS, console=console, transient=True, disable=not console.is_terminal)
    with bar, open_target(target) as file:
        task = bar.add_task("exporting", total=None)
        for chunk in chunks:
            count += file.write(chunk)
            bar.update(task, completed=count)
    return count
