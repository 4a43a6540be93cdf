"""Series and observations on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from app.api.schemas.base import (
    CATEGORY,
    MOMENT,
    NUMBER,
    CovariateValue,
    Documented,
    Expected,
    Input,
    Number,
    Output,
    Text,
    Trimmed,
)

Label = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
LabelValue = Annotated[Text, StringConstraints(max_length=200)]
Name = Annotated[Trimmed, StringConstraints(min_length=1, max_length=200)]
"""of a label or a covariate, as it is stored"""
NamedText = Annotated[Trimmed, StringConstraints(max_length=200)]
"""what is stored under such a name"""
Timestamp = Annotated[str, Expected("send a timestamp as text, such as 2024-01-31T13:00:00+01:00"), MOMENT]
NumberColumn = Annotated[list[Number | None], Field(fail_fast=True)]
CovariateColumn = Annotated[list[CovariateValue | None], Field(fail_fast=True)]
"""lists that may be long end at the first value that is none: each error costs more than a value"""
StaticValue = Annotated[float | NamedText, Expected(f"send {NUMBER}, {CATEGORY}, or null", flags=True)]
"""a static covariate of a stored series"""


def _check_distinct(fields: Any) -> Any:
    names: set[str] = set()
    for name in [field.strip() for field in fields if isinstance(field, str)] if isinstance(fields, dict) else ():
        if name in names:
            raise ValueError(f"{name[:200]!r} is named twice, with and without blanks around it; name it once")
        names.add(name)
    return fields


Distinct = BeforeValidator(_check_distinct)
"""no two names of a dictionary differ by blanks around them alone"""
SeriesLabels = Annotated[dict[Name, NamedText], Field(max_length=100), Distinct]
_EXAMPLE: dict[str, Any] = {"freq": "h", "timezone": "Europe/Berlin", "unit": "bikes", "labels": {"city": "Berlin"}}


class SeriesIn(Input):
    """A series' metadata."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    freq: Annotated[Text, StringConstraints(min_length=1, max_length=40)] = Field(
        description="pandas offset alias: h, 15min, D, W-SUN, MS …"
    )
    timezone: Annotated[Text, StringConstraints(min_length=1, max_length=64)] = "UTC"
    unit: Annotated[Text, StringConstraints(max_length=100)] | None = None
    description: Annotated[Text, StringConstraints(max_length=10_000)] | None = None
    labels: SeriesLabels = Field(default_factory=dict)
    static: Annotated[dict[Name, StaticValue | None], Field(max_length=100), Distinct] = Field(
        default_factory=dict, description="static covariates: numbers or text"
    )


class NewSeries(SeriesIn):
    """A new series."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bikes/station 7", **_EXAMPLE}})

    id: Annotated[str, StringConstraints(max_length=1000), Documented(r"^\s*\S")] = Field(
        description="1 to 200 printable characters; slashes and spaces are welcome, blanks around it are left out"
    )


class SeriesOut(Output):
    """A series. `first_ds` and `last_ds` are of observed values, `count` is of rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "bikes/station 7",
                **_EXAMPLE,
                "description": None,
                "static": {},
                "version": 3,
                "first_ds": "2024-03-01T00:00:00+01:00",
                "last_ds": "2024-03-31T23:00:00+02:00",
                "count": 743,
            }
        }
    )

    id: str
    freq: str
    timezone: str
    unit: str | None
    description: str | None
    labels: dict[str, str]
    static: dict[str, float | str | None]
    version: int
    first_ds: str | None
    last_ds: str | None
    count: int


_RECENT: dict[str, Any] = {"ds": ["2024-03-31T22:00:00+02:00", "2024-03-31T23:00:00+02:00"], "y": [38.0, 41.0]}


class RecentOut(Output):
    """The newest values of a series, in columns."""

    model_config = ConfigDict(json_schema_extra={"example": _RECENT})

    ds: list[str]
    y: list[float]


class ListedSeries(SeriesOut):
    """A series in a list."""

    recent: RecentOut | None = Field(None, description="with the parameter `recent` alone")


class LabelOut(Output):
    """A label, and how many series have it."""

    model_config = ConfigDict(json_schema_extra={"example": {"key": "city", "value": "Berlin", "series": 12}})

    key: str
    value: str
    series: int


class ColumnsIn(Input):
    """Timestamps of one series with covariates, in columns of equal length."""

    ds: Annotated[list[Timestamp], Field(fail_fast=True)] = Field(
        description="ISO 8601; without an offset they are read in the series' timezone"
    )
    covariates: Annotated[dict[Name, CovariateColumn], Field(max_length=200), Distinct] = Field(
        default_factory=dict,
        description="numbers or text, null where missing; what is not sent stays. Blanks around text are left out",
    )


class ObservationsIn(ColumnsIn):
    """Rows of one series, in columns of equal length."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ds": ["2024-03-01T00:00:00+01:00", "2024-03-01T01:00:00+01:00"],
                "y": [41.0, None],
                "covariates": {"temp": [7.5, 7.1], "weather": ["rain", "clear"]},
            }
        }
    )

    y: NumberColumn | None = Field(
        None, description="null is a missing value; without y covariates are written alone, and stored values stay"
    )


class BulkObservationsIn(Input):
    """Rows of many series."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": {
                    "bikes/station 7": {
                        "ds": ["2024-03-01T00:00:00+01:00"],
                        "y": [41.0],
                        "covariates": {"temp": [7.5]},
                    },
                    "bikes/station 8": {"ds": ["2024-03-01T00:00:00Z"], "y": [None]},
                }
            }
        }
    )

    series: Annotated[dict[Text, ObservationsIn], Field(min_length=1), Distinct] = Field(
        description="by the ids of stored series"
    )


class Upserted(Output):
    """What an upsert did: rows that were new, rows that were there already, and the series' version after it."""

    model_config = ConfigDict(json_schema_extra={"example": {"inserted": 2, "updated": 0, "version": 4}})

    inserted: int
    updated: int
    version: int


class BulkUpserted(Output):
    """What an upsert did to each of its series, by the ids that were sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": {
                    "bikes/station 7": {"inserted": 1, "updated": 0, "version": 4},
                    "bikes/station 8": {"inserted": 0, "updated": 1, "version": 9},
                }
            }
        }
    )

    series: dict[str, Upserted]


class ObservationsOut(Output):
    """Rows of one series, in columns."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ds": ["2024-03-01T00:00:00+01:00", "2024-03-01T01:00:00+01:00"],
                "y": [41.0, None],
                "covariates": {"temp": [7.5, 7.1]},
                "next_cursor": None,
                "provisional": None,
            }
        }
    )

    ds: list[str]
    y: list[float | None]
    covariates: dict[str, list[float | str | None]]
    next_cursor: str | None
    provisional: str | None = Field(
        description="the last `ds` where samples still fill that step: no forecast reads it, and it is in no table"
    )


class WholeOut(Output):
    """Rows of one series for a chart, as they are since they are few."""

    ds: list[str]
    y: list[float | None]
    covariates: dict[str, list[float | str | None]]
    next_cursor: None
    thinned: Literal[False]
    count: int


class ThinnedOut(Output):
    """Rows of one series for a chart: an entry a stretch of time."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ds": ["2024-03-01T23:00:00+01:00", "2024-03-02T23:00:00+01:00"],
                "y": [38.0, 41.0],
                "low": [2.0, 1.0],
                "high": [97.0, 88.0],
                "thinned": True,
                "count": 48,
            }
        }
    )

    ds: list[str] = Field(description="time of the last value of each stretch")
    y: list[float | None] = Field(description="the last value; null where all are missing")
    low: list[float | None] = Field(description="the least value")
    high: list[float | None] = Field(description="the greatest value")
    thinned: Literal[True]
    count: int = Field(description="rows of the span")


class Rejected(Output):
    """A row that was not imported; rows count from 1 below the header."""

    row: int
    code: str
    detail: str


class AssumedFrequency(Output):
    """A new series that has fewer than three timestamps, and took the frequency of the other new ones."""

    series_id: str
    freq: str


class NewSeriesGrid(Output):
    """How many new series have a frequency and a timezone."""

    freq: str
    timezone: str
    series: int


class ImportedCovariate(Output):
    """A covariate of the table, and how many of its values are written."""

    name: str
    kind: Literal["numeric", "categorical"] | None = Field(
        description="of a new one: numeric where nine in ten of its cells are numbers; null where all are empty"
    )
    new: bool = Field(description="whether this import fixes its kind for the project")
    values: int


class GuessOut(Output):
    """Something that nobody said of a table, and its reader decided: the parameter that would have said it."""

    parameter: str
    value: str
    detail: str


class Imported(Output):
    """What an import did, or with `dry_run` would do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": 1,
                "series_ids": ["bikes"],
                "new_series": [{"freq": "h", "timezone": "Europe/Berlin", "series": 1}],
                "rows": 3,
                "inserted": 2,
                "updated": 0,
                "assumed": [],
                "covariates": [{"name": "temp", "kind": "numeric", "new": True, "values": 2}],
                "guesses": [
                    {"parameter": "delimiter", "value": ";", "detail": "semicolons separate the names in the header"}
                ],
                "rejected_rows": 1,
                "rejected": [{"row": 2, "code": "invalid_timestamp", "detail": "'then' is not an ISO 8601 timestamp"}],
            }
        }
    )

    series: int
    series_ids: list[str] = Field(description="at most the first 100")
    new_series: list[NewSeriesGrid] = Field(description="those that the import makes, by frequency and timezone")
    rows: int
    inserted: int
    updated: int = Field(description="rows that were there already")
    assumed: list[AssumedFrequency] = Field(
        description="new series with fewer than three timestamps, which took the frequency that all other new series "
        "have; at most the first 1000"
    )
    covariates: list[ImportedCovariate]
    guesses: list[GuessOut] = Field(description="send the parameter to be sure, or to have it otherwise")
    rejected_rows: int
    rejected: list[Rejected] = Field(description="at most the first 1000")
