"""Watches, alarms and verdicts on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from app.api.schemas.alerts import NamedSeries
from app.api.schemas.anomalies import Time
from app.api.schemas.base import Input, Output, Text, require_one_of
from app.api.schemas.series import Label, LabelValue

Labels = Annotated[dict[Label, LabelValue], Field(min_length=1, max_length=100)]
Amount = Annotated[float, Field(gt=0, le=1e300)]


class IgnoreIn(Input):
    """Deviations that are no alarm: exactly one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": require_one_of(
                {"direction": "string", "absolute": "number", "relative": "number", "labels": "object"}
            )
        }
    )

    direction: Literal["up", "down"] | None = Field(None, description="values above the forecast, or below it")
    absolute: Amount | None = Field(None, description="values nearer to the forecast than this, in their unit")
    relative: Amount | None = Field(None, description="values nearer to the forecast than this share of it")
    labels: Labels | None = Field(None, description="series with all of these labels")

    @model_validator(mode="after")
    def _one_rule(self) -> "IgnoreIn":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("send exactly one of direction, absolute, relative and labels; more rules are more items")
        return self


class WatchIn(Input):
    """Which series are scanned as values arrive, and what is an alarm."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"alarms_per_week": 5, "ignore": [{"direction": "down"}, {"absolute": 10}]},
            "anyOf": [{"properties": {name: {"type": "null"}}} for name in ("level", "alarms_per_week")],
        }
    )

    series: NamedSeries | None = Field(
        None, description="ids or labels; those that the champion's training is about where it is left out"
    )
    level: float | None = Field(None, gt=0, lt=1, description="share of ordinary values that are no alarm; 0.999")
    alarms_per_week: float | None = Field(
        None, gt=0, le=1e6, description="in the place of a level: how many a person can read, of all series together"
    )
    ahead: int = Field(1, ge=1, description="steps before a value that it is forecast from, the horizon at most")
    ignore: Annotated[list[IgnoreIn], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_measure(self) -> "WatchIn":
        if self.level is not None and self.alarms_per_week is not None:
            raise ValueError("send either level or alarms_per_week")
        return self


class AlarmCounts(Output):
    """Alarms of a watch."""

    total: int
    last_week: int


class VerdictCounts(Output):
    """What people said of values of the watched series."""

    normal: int
    anomaly: int
    precision: float | None = Field(description="share of anomalies among the alarms that were judged")
    recall: float | None = Field(description="share of alarms among the values that were said to be anomalies")


class WatchError(Output):
    """A series that cannot be scanned."""

    series: str
    detail: str


class WatchOut(Output):
    """A watch, and how good its alarms were."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "series": None,
                "level": None,
                "alarms_per_week": 5.0,
                "ahead": 1,
                "ignore": [{"direction": "down"}],
                "watched": 3,
                "scanned_at": "2024-03-01T12:00:00+00:00",
                "problem": None,
                "errors": [],
                "alarms": {"total": 14, "last_week": 4},
                "verdicts": {"normal": 1, "anomaly": 3, "precision": 0.75, "recall": 1.0},
            }
        }
    )

    model: str
    series: list[str] | dict[str, dict[str, str]] | None
    level: float | None
    alarms_per_week: float | None
    ahead: int
    ignore: list[dict[str, Any]]
    watched: int = Field(description="series that are scanned")
    scanned_at: str | None
    problem: str | None = Field(description="why the last scan could judge nothing")
    errors: list[WatchError] = Field(description="at most 100 series that cannot be scanned")
    alarms: AlarmCounts
    verdicts: VerdictCounts


class AlarmOut(Output):
    """A value that was an alarm when it arrived."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": "bikes/station 7",
                "ds": "2024-03-01T12:00:00+01:00",
                "y": 412.0,
                "expected": 96.5,
                "lower": 40.1,
                "upper": 161.9,
                "score": 7.2,
                "verdict": "anomaly",
            }
        }
    )

    series: str
    ds: str
    y: float
    expected: float
    lower: float
    upper: float
    score: float
    verdict: Literal["normal", "anomaly"] | None


class VerdictIn(Input):
    """What a person says of a value."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"series": "bikes/station 7", "ds": "2024-03-01T12:00:00+01:00", "verdict": "normal"}
        }
    )

    series: Text
    ds: Time
    verdict: Literal["normal", "anomaly"]
