"""The commands import and export, against a real server that is scripted."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from app.cli import commands
from app.cli.transfer import WatchedFile
from tests.scripted_service import ScriptedService

TABLE = b"unique_id,ds,y\na,2024-01-01,1\n"
REPORT = {"series": 1, "rows": 1, "inserted": 1, "updated": 0, "rejected": []}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


def run(service: ScriptedService, *arguments: str, **more: Any) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, [*arguments, "--url", service.url], env={"COLUMNS": "200"}, **more)


def test_every_parameter_of_the_import_is_an_option(service: ScriptedService, tmp_path: Path) -> None:
    service.on("POST", "/series/import", REPORT)
    file = tmp_path / "table.csv"
    file.write_bytes(TABLE)
    chosen = {
        "freq": "D",
        "timezone": "Europe/Berlin",
        "ds_start": "2000-01-01",
        "ds_format": "%d/%m/%Y",
        "columns": "date:ds,sales:y,split:",
        "layout": "long",
        "delimiter": ";",
        "decimal": ",",
        "encoding": "latin-1",
        "ambiguous": "infer",
        "empty_y": "keep",
        "on_error": "skip",
        "on_duplicate": "last",
    }
    options = [part for name, value in chosen.items() for part in (f"--{name.replace('_', '-')}", value)]
    result = run(service, "import", str(file), *options, "--dry-run")
    assert result.exit_code == 0, result.output
    assert service.asked[0].query == {**{name: [value] for name, value in chosen.items()}, "dry_run": ["true"]}
    assert "would import 1 rows" in result.stdout


def test_what_was_guessed_is_told_as_the_option_that_says_it(service: ScriptedService, tmp_path: Path) -> None:
    guess = {"parameter": "ds_format", "value": "%d.%m.%Y", "detail": "no month is 31"}
    service.on("POST", "/series/import", {**REPORT, "guesses": [guess]})
    (tmp_path / "table.csv").write_bytes(TABLE)
    result = run(service, "import", str(tmp_path / "table.csv"))
    assert "taken as --ds-format '%d.%m.%Y': no month is 31" in result.stderr


def test_only_the_first_rejected_rows_are_printed(service: ScriptedService, tmp_path: Path) -> None:
    rejected = [{"row": row, "code": "invalid_value", "detail": "no number"} for row in range(1, 13)]
    service.on("POST", "/series/import", {**REPORT, "rejected": rejected, "rejected_rows": 5000})
    (tmp_path / "table.csv").write_bytes(TABLE)
    result = run(service, "import", str(tmp_path / "table.csv"), "--on-error", "skip")
    assert "5,000 rejected" in result.stdout
    assert "row 10: no number" in result.stderr
    assert "row 11" not in result.stderr
    assert "and 4,990 more" in result.stderr


def test_a_gzipped_file_is_sent_as_it_is(service: ScriptedService, tmp_path: Path) -> None:
    service.on("POST", "/series/import", REPORT)
    file = tmp_path / "table.parquet.gz"
    file.write_bytes(gzip.compress(TABLE, mtime=0))
    assert run(service, "import", str(file)).exit_code == 0
    (asked,) = service.asked
    assert asked.body == file.read_bytes()
    assert asked.headers["content-encoding"] == "gzip"
    assert asked.headers["content-type"] == "application/vnd.apache.parquet"


def test_standard_input_is_read(service: ScriptedService) -> None:
    service.on("POST", "/series/import", REPORT)
    result = run(service, "import", "-", "--format", "ndjson", input=b'{"unique_id": "a"}\n')
    assert result.exit_code == 0, result.output
    assert service.asked[0].body == b'{"unique_id": "a"}\n'
    assert service.asked[0].headers["content-type"] == "application/x-ndjson"


def fill_folder(folder: Path) -> None:
    for name in ("b.jsonl", "a.csv", "c.tsv"):
        (folder / name).write_bytes(name.encode())
    (folder / "README.md").write_text("no table")


def test_a_folder_goes_by_name_and_leaves_out_what_is_no_table(service: ScriptedService, tmp_path: Path) -> None:
    fill_folder(tmp_path)
    service.on("POST", "/series/import", REPORT)
    result = run(service, "import", str(tmp_path))
    assert result.exit_code == 0
    assert [asked.body for asked in service.asked] == [b"a.csv", b"b.jsonl", b"c.tsv"]
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 3
    assert "README.md: left out" in result.stderr


@pytest.mark.parametrize(
    ("options", "sent", "told"), [([], 2, "1 more are left"), (["--keep-going"], 3, "2 of 3 tables are imported")]
)
def test_a_folder_stops_at_the_first_refusal_unless_told_otherwise(
    service: ScriptedService, tmp_path: Path, options: list[str], sent: int, told: str
) -> None:
    fill_folder(tmp_path)
    refusal = (422, {"title": "Refused", "detail": "row 1 is bad", "code": "invalid_timestamp"})
    service.on("POST", "/series/import", REPORT, refusal, REPORT)
    result = run(service, "import", str(tmp_path), *options)
    assert result.exit_code == 1
    assert len(service.asked) == sent
    assert "row 1 is bad" in result.stderr
    assert "b.jsonl" in result.stderr
    assert told in result.stderr


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_source_without_a_table_is_refused_before_anything_is_sent(
    service: ScriptedService, tmp_path: Path, name: str
) -> None:
    result = run(service, "import", str(tmp_path / name))
    assert result.exit_code == 2
    assert not service.asked


def test_the_bar_follows_the_bytes_and_then_the_service() -> None:
    with Progress(console=Console(file=io.StringIO())) as bar:
        file = WatchedFile(io.BytesIO(b"12345"), "t.csv", bar)
        file.seek(0)
        assert file.read(3) == b"123"
        (task,) = bar.tasks
        assert (task.completed, task.total, task.description) == (3, 5, "sending t.csv")
        assert file.read(3) == b"45"
        assert (task.completed, task.description) == (5, "the service checks and writes t.csv")


def test_export_asks_for_what_was_chosen(service: ScriptedService, tmp_path: Path) -> None:
    service.on("GET", "/series/export", TABLE)
    target = tmp_path / "out.ndjson"
    options = ("--prefix", "a", "--label", "city:Ulm", "--start", "2024-01-01", "--end", "2025-01-01")
    result = run(service, "export", "a", "b", *options, "--output", str(target))
    assert result.exit_code == 0, result.output
    assert target.read_bytes() == TABLE
    assert service.asked[0].query == {
        "series": ["a", "b"],
        "prefix": ["a"],
        "label": ["city:Ulm"],
        "start": ["2024-01-01"],
        "end": ["2025-01-01"],
        "format": ["ndjson"],
    }
    assert "wrote 30 bytes" in result.stderr


def test_export_goes_to_standard_output_as_it_is(service: ScriptedService) -> None:
    service.on("GET", "/series/export", TABLE)
    result = run(service, "export")
    assert result.stdout_bytes == TABLE
    assert service.asked[0].query == {"format": ["csv"]}


def test_a_refused_export_writes_no_file(service: ScriptedService, tmp_path: Path) -> None:
    service.problem("GET", "/series/export", 404, detail="there is no series 'x'", code="series_not_found")
    result = run(service, "export", "x", "--output", str(tmp_path / "x.csv"))
    assert result.exit_code == 1
    assert "there is no series 'x'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_without_a_format_is_refused(service: ScriptedService, tmp_path: Path) -> None:
    assert run(service, "export", "--output", str(tmp_path / "table")).exit_code == 2
    assert not service.asked
