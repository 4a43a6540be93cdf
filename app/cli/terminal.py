"""Terminal output of the commands: results on stdout, progress and errors on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gatecast_client.client import Client
from gatecast_client.errors import ClientError
from gatecast_client.jobs import Job

Url = Annotated[str, typer.Option("--url", envvar="GATECAST_URL", help="Address of the service.")]
Key = Annotated[str | None, typer.Option("--key", envvar="GATECAST_KEY", help="Key, if the service needs one.")]


def output_console() -> Console:
    """Return the console for results."""
    return Console(highlight=False)


def error_console() -> Console:
    """Return the console for progress and errors, so that results can be piped."""
    return Console(stderr=True, highlight=False)


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn a ClientError into a message that says what to do next, and exit status 1."""
    try:
        yield
    except ClientError as e:
        code = f" ({e.code})" if e.code else ""
        error_console().print(f"[red]{escape(str(e))}[/red]{escape(code)}", highlight=False)
        if e.hint:
            error_console().print(f"→ {escape(e.hint)}", highlight=False)
        raise typer.Exit(1) from None


def parse_labels(labels: list[str]) -> dict[str, str]:
    """Return {name: value} of labels that are written key:value. Raises typer.BadParameter."""
    pairs = [label.partition(":") for label in labels]
    if any(not colon or not name for name, colon, _ in pairs):
        raise typer.BadParameter("a label is written key:value", param_hint="--label")
    return {name: value for name, _, value in pairs}


def follow(client: Client, job: Job, console: Console) -> Job:
    """Show a job's progress until it ends, and return it as it ended."""
    bars = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*bars, console=console, transient=True) as bar:
        task = bar.add_task(format_progress(job), total=1.0)
        printed = ""
        for state in client.watch(job["id"]):
            job = state
            line = format_progress(state)
            fraction = state["progress"]["fraction"] if state["progress"] else None
            bar.update(task, completed=fraction or 0.0, description=line)
            # a log file has no live bar: it gets one line for each state or epoch
            if not console.is_terminal and (stage := line.partition(" · ")[0]) != printed:
                console.print(line)
                printed = stage
    return job


def format_progress(job: Job) -> str:
    """Return a job's state: `train bikes: epoch 3 of 20 · loss 0.21, validation 0.25 · 40 s left`."""
    name = f"{job['kind']} {job['model'] or ''}".strip()
    if job["status"] == "queued":
        return escape(f"{name}: waiting for a worker")
    progress = job["progress"]
    if job["status"] != "running" or progress is None or progress["epoch"] is None:
        return escape(f"{name}: {job['status']}")
    trial = f"trial {progress['trial']} of {progress['trials']}, " if progress.get("trial") else ""
    parts = [f"{name}: {trial}epoch {progress['epoch']} of {progress['epochs']}"]
    losses = {"loss": progress["train_loss"], "validation": progress["val_loss"]}
    if text := ", ".join(f"{word} {value:.4g}" for word, value in losses.items() if value is not None):
        parts.append(text)
    if progress["eta_s"] is not None:
        parts.append(f"{progress['eta_s']:.0f} s left")
    return escape(" · ".join(parts))


def require_version(job: Job) -> int:
    """Return the version that a job made or refreshed. Raises ClientError with the job's error where it made none."""
    if job["status"] == "succeeded" and job["version"] is not None:
        return job["version"]
    why = job["error"] or {"code": job["status"], "detail": "it made no version"}
    hint = f"GET /jobs/{job['id']} tells more; fix what it names and try again"
    raise ClientError(f"The {name_kind(job)} {job['status']}", why["detail"], why["code"], hint)


def name_kind(job: Job) -> str:
    """Return what a job is called in a sentence."""
    return "training" if job["kind"] == "train" else job["kind"]


def build_forecast_table(forecast: dict[str, Any], name: str) -> Table:
    """Return a table of one series' forecast, a row for each timestamp, with its warnings below."""
    notes = [*forecast.get("warnings", []), *(["fallback: season-naive"] if forecast.get("fallback") else [])]
    table = Table(
        title=escape(f"{forecast['series_id']} by {name}, from {forecast['origin']}"),
        caption=escape("; ".join(map(str, notes))),
    )
    table.add_column("ds")
    for heading in ("yhat", *forecast["quantiles"]):
        table.add_column(heading, justify="right")
    for ds, *values in zip(forecast["ds"], forecast["yhat"], *forecast["quantiles"].values(), strict=True):
        table.add_row(ds, *(f"{value:.6g}" for value in values))
    return table
