"""Structured logs on stderr: one line for each event, with the id of its request or job.

As JSON, our loggers render and write their lines themselves: the way through the standard library costs several times
as much. Libraries' loggers go through the standard library, in the same format. Lines of requests that end in one turn
of the event loop are written together.
"""

import asyncio
import json
import logging
import re
import select
import sys
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, BinaryIO, Literal, cast

import orjson
import structlog

Level = Literal["debug", "info", "warning", "error"]
Processors = list[structlog.typing.Processor]

_requests_as_json = False
"""whether lines of requests are written as JSON"""
_ROW = re.compile(r"DETAIL: .*?(?=\n\[SQL|\n\n|\Z)", re.DOTALL)
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_NOISY = ("httpx", "httpx2", "httpcore", "fsspec", "alembic", "dbos", "uvicorn.access", "uvicorn.error")


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""id of the request that is being handled; each of its events carries it"""


client_address: ContextVar[str | None] = ContextVar("client_address", default=None)
"""whom the request that is being handled came from"""


class _Stderr:
    """The current stderr as a stream of bytes: loggers are cached for good, and stderr may be replaced."""

    def write(self, line: bytes) -> int:
        return sys.stderr.buffer.write(line)

    def flush(self) -> None:
        sys.stderr.buffer.flush()


def configure(log_format: Literal["json", "console"], level: Level) -> None:
    """Send this process's logs to stderr, including those of libraries."""
    global _requests_as_json
    _requests_as_json = log_format == "json" and logging.getLevelNamesMapping()[level.upper()] <= logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_configure_json(level) if log_format == "json" else _configure_console(level))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class RequestLines:
    """Writes a line for each request. Use it on one event loop at a time."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._due: asyncio.AbstractEventLoop | None = None
        """event loop that writes the lines at its next turn"""
        self._logger = get_logger("app.access")
        self._fields = _list_processors()

    def add(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """Log a request that has its response."""
        fields = {"method": method, "path": path, "status": status, "milliseconds": milliseconds}
        if not _requests_as_json:
            self._logger.info("request", **fields)
            return
        event: Any = fields | {"event": "request"}
        for processor in self._fields:
            event = processor(None, "info", event)
        self._lines.append(_dump_json(event, str) + b"\n")
        loop = asyncio.get_running_loop()
        if self._due is not loop:
            self._due = loop
            loop.call_soon(self._write)

    def _write(self) -> None:
        lines = self._lines
        self._lines = []
        self._due = None
        to = _Stderr()
        for written in _join_lines(lines):
            to.write(written)
            to.flush()


def _join_lines(lines: list[bytes]) -> Iterator[bytes]:
    """Yield joined lines in blocks that a pipe takes at once: other processes' lines could split a longer block."""
    written = b""
    for line in lines:
        if written and len(written) + len(line) > select.PIPE_BUF:
            yield written
            written = b""
        written += line
    yield written


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose events carry the bound context, such as the job's id."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _configure_json(level: Level) -> logging.Formatter:
    """Let our loggers write JSON lines; return the formatter of the libraries' records."""
    structlog.configure(
        processors=[*_list_processors(), structlog.processors.JSONRenderer(serializer=_dump_json)],
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Stderr())),
        wrapper_class=_filter_level(level),
        cache_logger_on_first_use=True,
    )
    as_text = structlog.processors.JSONRenderer(serializer=lambda event, **more: _dump_json(event, **more).decode())
    return _make_formatter(_list_processors(foreign=True), as_text)


def _configure_console(level: Level) -> logging.Formatter:
    """Let all events go through the standard library; return their formatter, for people."""
    structlog.configure(
        processors=[*_list_processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=_filter_level(level),
        cache_logger_on_first_use=True,
    )
    return _make_formatter(_list_processors(foreign=True), structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))


def _list_processors(*, foreign: bool = False) -> Processors:
    """Return the processors that add fields to every event; records of the standard library may have extra ones."""
    extra: Processors = [structlog.stdlib.ExtraAdder()] if foreign else []
    return [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        *extra,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_format_exception),
    ]


def _format_exception(exc_info: structlog.typing.ExcInfo) -> str:
    """Return a traceback without the rows that PostgreSQL shows beside an error: what they hold is not for logs."""
    return _ROW.sub("DETAIL: (a row)", "".join(traceback.format_exception(*exc_info)).rstrip("\n"))


def _add_request_id(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the id of the request that is being handled, if any."""
    request = request_id.get()
    if request is not None:
        event.setdefault("request_id", request)
    return event


def _make_formatter(foreign: Processors, renderer: structlog.typing.Processor) -> logging.Formatter:
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(processors=[meta, renderer], foreign_pre_chain=foreign)


def _filter_level(level: Level) -> type[structlog.typing.FilteringBoundLogger]:
    return structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])


def _dump_json(event: Any, default: Callable[[Any], Any]) -> bytes:
    """Return an event as JSON, whatever it holds: logging must never fail the work that it reports."""
    try:
        return orjson.dumps(event, default, _OPTIONS)
    except TypeError:  # numbers beyond 64 bits, text that is no UTF-8
        return json.dumps(event, default=default, skipkeys=True).encode()
