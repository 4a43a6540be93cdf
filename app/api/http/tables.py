"""Answers in a format that the client chooses: rows as a stream or a page, and lists as tables."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from inspect import isclass
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, get_args, get_origin
from urllib.parse import quote, urlencode

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api.http.negotiation import chosen
from app.api.http.validation import list_types
from app.formats.forms import Form, FormName, TableForm, TableFormName
from app.formats.table import TableFormat
from app.formats.writers import choose_table_writer

if TYPE_CHECKING:
    import pyarrow as pa

STREAMS_AT_ONCE = 4
"""threads that read and write for all streams: forecasts need the others"""
FORMAT = "wins over `Accept`"
VARY = {"Vary": "Accept"}

Accept = Annotated[str | None, Header(description="media types of the formats")]


def _choose_form(accept: Accept = None, format: Annotated[FormName | None, Query(description=FORMAT)] = None) -> Form:
    return chosen(Form, accept, format)


def _choose_table_form(
    accept: Accept = None, format: Annotated[TableFormName | None, Query(description=FORMAT)] = None
) -> TableForm:
    return chosen(TableForm, accept, format)


FormDep = Annotated[Form, Depends(_choose_form)]
"""the format of a document or a table; raises NotAcceptable"""
TableFormDep = Annotated[TableForm, Depends(_choose_table_form)]
"""the format of a table; raises NotAcceptable"""


class ItemPage(Protocol):
    """A page of a list, as services return it."""

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """Items as clients see them."""

    @property
    def next_cursor(self) -> str | None:
        """Cursor of the next page; None at the end."""


def describe_forms(forms: type[StrEnum], example: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of an answer in each of the formats, with one as CSV."""
    content: dict[str, Any] = {
        form.value: {"schema": {"type": "string", "format": "binary"}} for form in forms if form.name != "json"
    }
    content[Form.csv.value] = {"schema": {"type": "string"}, "example": example}
    content.setdefault(Form.ndjson.value, {})["schema"] = {"type": "string"}
    return {200: {"content": content}}


def describe_list(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the description of a list of items in each of the formats."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return describe_forms(Form, ",".join(names) + "\n")


def answer_list(request: Request, page: ItemPage, model: type[BaseModel], form: Form) -> Response:
    """Answer with a page of a list: a document, or a table with a column a field of the items' schema.

    A field that is no plain value is JSON in its column. The cursor of the next page is in the document, and else in
    the header `Link`.
    """
    if form.table is None:
        return Response(orjson.dumps(page), headers=VARY, media_type=form.value)
    return answer_page(request, _write_items(page.items, model, form.table), page.next_cursor, form)


def answer_page(request: Request, content: bytes, next_cursor: str | None, form: Form) -> Response:
    """Answer with some rows of a table, and a link to the next ones."""
    headers = VARY | ({} if next_cursor is None else {"Link": _link_next(request, next_cursor)})
    return Response(content, headers=headers, media_type=form.value)


async def answer_stream(
    begin: Callable[[], Iterator[bytes]], form: Form | TableForm, filename: str | None = None
) -> StreamingResponse:
    """Answer with a table while it is made; an error in that cuts the connection, so that nobody takes it for whole.

    Raises what `begin` raises, which is called in a thread.
    """
    blocks = await to_thread.run_sync(begin, limiter=_streams())
    attachment = {} if filename is None else {"Content-Disposition": f'attachment; filename="{filename}.{form.name}"'}
    return StreamingResponse(_iterate(blocks), headers=VARY | attachment, media_type=form.value)


async def _iterate(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while block := await to_thread.run_sync(next, blocks, b"", limiter=_streams()):
        yield block


@cache
def _streams() -> CapacityLimiter:
    return CapacityLimiter(STREAMS_AT_ONCE)


def _link_next(request: Request, cursor: str) -> str:
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f'<{quote(request.scope["path"])}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'


def _write_items(items: Sequence[Mapping[str, Any]], model: type[BaseModel], format: TableFormat) -> bytes:
    import pyarrow as pa  # costs a tenth of a second, and most processes never need it

    schema = _build_schema(model)
    columns = [pa.array([_flatten(item[field.name], field.type) for item in items], field.type) for field in schema]
    writer = choose_table_writer(format, schema)
    return writer.begin() + writer.write(pa.RecordBatch.from_arrays(columns, schema=schema)) + writer.end()


@cache
def _build_schema(model: type[BaseModel]) -> "pa.Schema":
    import pyarrow as pa

    types = {frozenset({bool}): pa.bool_(), frozenset({int}): pa.int64(), frozenset({float}): pa.float64()}
    kinds = {
        field.alias or name: frozenset(_list_kinds(field.annotation)) for name, field in model.model_fields.items()
    }
    return pa.schema([(name, types.get(found - {NoneType}, pa.string())) for name, found in kinds.items()])


def _list_kinds(annotation: Any) -> Iterator[type]:
    """Yield the types that a field may have; of a literal those of its values."""
    for kind in list_types(annotation):
        if get_origin(kind) is Literal:
            yield from {type(value) for value in get_args(kind)}
        else:
            yield kind if isclass(kind) else object


def _flatten(value: Any, kind: "pa.DataType") -> Any:
    """Return a value as a cell: text as it is, what has parts as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if str(kind) == "string" else value
