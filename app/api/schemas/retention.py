"""Retention on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Tag

from app.api.schemas.base import Documented, Input, Output, choose_branch
from app.api.schemas.series import Label, LabelValue

_LABELS: dict[str, Any] = {"labels": {"kind": "sensor"}}
KEEP = Documented("^([1-9][0-9]{0,7}h|[1-9][0-9]{0,6}D|[1-9][0-9]{0,5}W)$")
"""how far back a series reaches: 8000 years at most"""
_EXAMPLE: dict[str, Any] = {"series": _LABELS, "keep": "730D", "expired": None}


class LabelSelector(Input):
    """The series that have all of these labels."""

    labels: Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=100)]


RetainedSeries = Annotated[
    Annotated[LabelSelector, Tag("selector")] | Annotated[Literal["all"], Tag("all")],
    choose_branch({dict: "selector", "all": "all"}, 'send {"labels": {…}} or "all"'),
]


class RetentionIn(Input):
    """How far back series reach."""

    model_config = ConfigDict(json_schema_extra={"example": {"series": _LABELS, "keep": "730D"}})

    series: RetainedSeries = Field("all", description="those that have all of these labels; the project's when absent")
    keep: Annotated[
        str, KEEP, Field(max_length=40, description="hours, days or weeks before a series' newest value: 730D")
    ]


class ExpiredRows(Output):
    """What a policy would delete."""

    series: int
    rows: int


class RetentionOut(Output):
    """A policy."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    series: dict[str, dict[str, str]] | Literal["all"]
    keep: str
    expired: ExpiredRows | None = Field(description="with `dry_run`: what it would delete now; otherwise null")
