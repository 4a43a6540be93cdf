"""The bases of all schemas, and the problem document."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from app.errors import ErrorCode
from app.scope import storable

T = TypeVar("T")


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("must be Unicode text without NUL characters")
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""text that every database can keep"""
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_storable)]
"""the same without the blanks around it, by which no two things differ"""


def _encodable(text: str) -> str:
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("must be Unicode text without lone surrogates")
    return text


Encodable = Annotated[str, AfterValidator(_encodable)]
"""text that can be answered; whether it names anything is found out later"""


class Input(BaseModel):
    """What is sent: unknown fields, near types and infinities are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Output(BaseModel):
    """What is answered."""

    model_config = ConfigDict(from_attributes=True)


class PageOf(Output, Generic[T]):
    """Some items of a list, and the cursor of the next page; null on the last."""

    items: list[T]
    next_cursor: str | None


class ProblemField(Output):
    """One thing that is wrong with a request."""

    field: str
    code: str
    detail: str


class Problem(Output):
    """RFC 9457 problem document: the answer of every call that fails."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not found",
                "status": 404,
                "detail": "there is no series 'bikes'; GET /series lists them, POST /series makes one",
                "code": "series_not_found",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    errors: list[ProblemField] | None = None
