"""The preflight of series on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Tag

from app.api.schemas.base import Encodable, Input, Output, choose_branch
from app.api.schemas.training import SeriesSelector

HEALTH_EXAMPLE: dict[str, Any] = {
    "series_id": "bikes",
    "freq": "h",
    "count": 17_544,
    "trainable": True,
    "checks": [
        {
            "code": "gaps",
            "audit": "D002",
            "severity": "info",
            "detail": "2 of 17544 steps are missing (0.0%), in one gap",
            "where": [["2024-03-01T00:00:00+00:00", "2024-03-01T01:00:00+00:00"]],
            "training": "missing steps stay missing: the network reads which they are",
            "option": "cleaning.gaps in POST /train; POST /series/{id}/observations, where their values are known",
        }
    ],
}


class HealthIn(Input):
    """Series to check."""

    model_config = ConfigDict(json_schema_extra={"example": {"series": ["bikes"], "horizon": 24}})

    series: Annotated[
        Annotated[list[Encodable], Field(min_length=1, max_length=100_000), Tag("ids")]
        | Annotated[SeriesSelector, Tag("selector")]
        | Annotated[Literal["all"], Tag("all")],
        choose_branch({list: "ids", dict: "selector", "all": "all"}, 'send a list of ids, {"labels": {…}} or "all"'),
    ]
    horizon: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="steps of a forecast that is planned; a season when absent"
    )


class SeriesCheck(Output):
    """One thing that was looked for; `ok` where it was not found."""

    code: str
    audit: str | None = Field(description="the number of the same check in Nixtla's audit")
    severity: Literal["ok", "info", "warning", "error"]
    detail: str
    where: list[str | list[str]] = Field(description="timestamps, or [first, last]; the first twenty")
    training: str | None = Field(description="what a training does about it")
    option: str | None = Field(description="what changes that")


class SeriesHealth(Output):
    """The checks of one series."""

    model_config = ConfigDict(json_schema_extra={"example": HEALTH_EXAMPLE})

    series_id: str
    freq: str
    count: int
    trainable: bool
    checks: list[SeriesCheck]


class HealthReport(Output):
    """The checks of some series, and how many series fail each."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [HEALTH_EXAMPLE], "counts": {"gaps": 1}}})

    items: list[SeriesHealth]
    counts: dict[str, int]
