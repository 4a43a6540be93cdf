"""Ingest rules on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import DURATION, Input, Output, Text
from app.api.schemas.series import Label

RuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Aggregate = Literal["mean", "last", "sum", "min", "max", "rate"]
Condition = Annotated[Text, StringConstraints(max_length=10_000)]
_EXAMPLE: dict[str, Any] = {
    "match": {"__name__": "node_load1", "job": "~node|edge"},
    "freq": "5min",
    "aggregate": "mean",
    "id": "{__name__}/{instance}",
}


class RuleIn(Input):
    """Which samples become a series, and how."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    match: Annotated[dict[Label, Condition], Field(min_length=1, max_length=30)] = Field(
        description="a value for each label, or ~ and an RE2 expression for all of it; a missing label is empty"
    )
    freq: Annotated[Text, StringConstraints(min_length=1, max_length=40)] = Field(
        description="of the series: samples fall into its steps"
    )
    aggregate: Aggregate = Field(description="of a step's samples; rate: what counters rise by in a second")
    timezone: Annotated[Text, StringConstraints(min_length=1, max_length=64)] = Field(
        "UTC", description="of series that are made, and so of days and longer steps"
    )
    id: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="of the series, with labels in braces; samples of one id make one series"
    )
    labels: Annotated[list[Label], Field(max_length=30)] | None = Field(
        None, description="of the samples, that a series gets where it is made; those that `id` names when absent"
    )
    create: bool = Field(True, description="whether series are made; otherwise only those that exist are fed")
    limit: int = Field(1000, ge=1, le=1_000_000, description="series that the rule may make")
    late: Annotated[str, StringConstraints(max_length=12), DURATION] = Field(
        "1h", description="how much older than its series' newest a sample may be, such as 10min, 1h or 1D"
    )


class RuleOut(Output):
    """A rule, and what it has taken in."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "load",
                **_EXAMPLE,
                "timezone": "UTC",
                "labels": None,
                "create": True,
                "limit": 1000,
                "late": "1h",
                "samples": 48_210,
                "dropped": 0,
                "series": 12,
                "last_at": "2024-03-01T12:00:04+00:00",
                "problem": None,
            }
        }
    )

    name: str
    match: dict[str, str]
    freq: str
    aggregate: Aggregate
    timezone: str
    id: str
    labels: list[str] | None
    create: bool
    limit: int
    late: str
    samples: int = Field(description="that were taken in, repeated ones too")
    dropped: int = Field(description="that matched and could not be taken in")
    series: int = Field(description="that it feeds")
    last_at: str | None = Field(description="when the last samples came")
    problem: str | None = Field(description="why the last one was dropped, and what to do")
