"""The bases of all schemas, and the problem document."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.errors import ErrorCode
from app.scope import encodable, storable

T = TypeVar("T")


@dataclass(frozen=True)
class Documented:
    """Tells in the OpenAPI document what a text looks like whose check is made later, and has an error of its own."""

    pattern: str
    """of every text that the check lets pass, and of as few others as an expression can say"""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the type with the pattern."""
        return {**handler(schema), "pattern": self.pattern}


_DAY = "(0[1-9]|1[0-2]){}(0[1-9]|[12][0-9]|3[01])"
_HOUR = "([01][0-9]|2[0-3])"
_CLOCK = f"{_HOUR}(:?[0-5][0-9](:?[0-5][0-9]([.,][0-9]{{1,9}})?)?([Zz]|[+ -]{_HOUR}(:?[0-5][0-9])?)?)?"
MOMENT = Documented(
    f"^([1-8][0-9]{{3}}-{_DAY.format('-')}([Tt ]{_CLOCK})?|[1-8][0-9]{{3}}{_DAY.format('')}[Tt ]{_CLOCK}"
    f"|(19|20)[0-9]{{2}}{_DAY.format('')})$"
)
"""a date, or a date and a time, with or without an offset"""
DURATION = Documented("^([1-9][0-9]{0,8}s|[1-9][0-9]{0,6}min|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}D|[1-9][0-9]{0,2}W)$")
"""of ten years at most"""


def require_one_of(types: Mapping[str, str]) -> list[Any]:
    """Return the alternatives of an object that has exactly one of these fields, each of a type of JSON."""
    return [{"required": [name], "properties": {name: {"type": type_}}} for name, type_ in types.items()]


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("must be Unicode text without NUL characters")
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""text that every database can keep"""
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_storable)]
"""the same without the blanks around it, by which no two things differ"""


def _encodable(text: str) -> str:
    if not encodable(text):
        raise ValueError("must be Unicode text without lone surrogates")
    return text


Encodable = Annotated[str, AfterValidator(_encodable)]
"""text that can be answered; whether it names anything is found out later"""


@dataclass(frozen=True)
class Expected:
    """Makes one error of all that a union says when none of its types fits: what to send instead."""

    text: str
    flags: bool = False
    """whether true and false are read as the numbers 1 and 0"""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the union, which tries its types in their order. None of it runs in Python: bodies hold millions."""
        schema = handler(source)
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [schema]
        if schema["type"] == "union":
            choices = list(schema["choices"])
        if self.flags:
            steps: list[CoreSchema] = [
                core_schema.bool_schema(strict=True),
                core_schema.float_schema(strict=False),
            ]
            choices.append(core_schema.chain_schema(steps))
        return core_schema.union_schema(
            choices, mode="left_to_right", custom_error_type="wrong_type", custom_error_message=self.text
        )


def choose_branch(tags: Mapping[type | str, str], text: str) -> Discriminator:
    """Return what picks the branch of a union by the type of what was sent, or by its text: only its errors are told.

    `text` says what to send instead of anything else.
    """

    def find_tag(value: Any) -> str | None:
        return tags.get(value) if isinstance(value, str) else tags.get(type(value))

    return Discriminator(find_tag, custom_error_type="wrong_type", custom_error_message=text)


LONGEST_CATEGORY = 200
"""characters of a categorical covariate's value"""
NUMBER = "a finite number, or true and false for 1 and 0"
CATEGORY = f"text of at most {LONGEST_CATEGORY} characters without NUL"
Number = Annotated[float, Expected(f"send {NUMBER}; null where it is missing", flags=True)]
"""a value of a series"""
CovariateValue = Annotated[
    float | Annotated[str, StringConstraints(max_length=LONGEST_CATEGORY, pattern=r"^[^\x00]*$")],
    Expected(f"send {NUMBER}, {CATEGORY}, or null", flags=True),
]
"""a value of a numeric or categorical covariate; a pattern, since bodies hold millions"""


_BLANK_OFFSET = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) (\d\d:?\d\d)")


def restore_offset(text: Any) -> Any:
    """Return a time with the `+` of its offset, which a query makes a blank of unless it is escaped."""
    match = _BLANK_OFFSET.fullmatch(text) if isinstance(text, str) else None
    return text if match is None else f"{match[1]}+{match[2]}"


QueryTime = Annotated[Encodable, StringConstraints(max_length=64), BeforeValidator(restore_offset), MOMENT]
"""a time in a query"""


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
