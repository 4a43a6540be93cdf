"""Series and observations on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import CovariateValue, Input, Number, Output, Text

Label = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
LabelValue = Annotated[Text, StringConstraints(max_length=200)]
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
    labels: Annotated[dict[Label, LabelValue], Field(max_length=100)] = Field(default_factory=dict)
    static: Annotated[dict[Label, CovariateValue | None], Field(max_length=100)] = Field(
        default_factory=dict, description="static covariates: numbers or text"
    )


class NewSeries(SeriesIn):
    """A new series."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bikes/station 7", **_EXAMPLE}})

    id: Annotated[str, StringConstraints(max_length=1000)] = Field(
        description="1 to 200 printable characters; slashes and spaces are welcome"
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


class ObservationsIn(Input):
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

    ds: list[str] = Field(description="ISO 8601; without an offset they are read in the series' timezone")
    y: list[Number | None] = Field(description="null is a missing value")
    covariates: Annotated[dict[Label, list[CovariateValue | None]], Field(max_length=200)] = Field(default_factory=dict)


class Upserted(Output):
    """What an upsert did: rows that were new, rows that were there already, and the series' version after it."""

    model_config = ConfigDict(json_schema_extra={"example": {"inserted": 2, "updated": 0, "version": 4}})

    inserted: int
    updated: int
    version: int


class ObservationsOut(Output):
    """Rows of one series, in columns."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ds": ["2024-03-01T00:00:00+01:00", "2024-03-01T01:00:00+01:00"],
                "y": [41.0, None],
                "covariates": {"temp": [7.5, 7.1]},
                "next_cursor": None,
            }
        }
    )

    ds: list[str]
    y: list[float | None]
    covariates: dict[str, list[float | str | None]]
    next_cursor: str | None


class Rejected(Output):
    """A row that was not imported; rows count from 1 below the header."""

    row: int
    code: str
    detail: str


class AssumedFrequency(Output):
    """A new series that has fewer than three timestamps, and took the frequency of the other new ones."""

    series_id: str
    freq: str


class Imported(Output):
    """What an import did, or with `dry_run` would do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": 1,
                "rows": 3,
                "inserted": 2,
                "updated": 0,
                "assumed": [],
                "rejected_rows": 1,
                "rejected": [{"row": 2, "code": "invalid_timestamp", "detail": "'then' is not an ISO 8601 timestamp"}],
            }
        }
    )

    series: int
    rows: int
    inserted: int
    updated: int
    assumed: list[AssumedFrequency] = Field(
        description="new series with fewer than three timestamps, which took the frequency that all other new series "
        "have; at most the first 1000"
    )
    rejected_rows: int
    rejected: list[Rejected] = Field(description="at most the first 1000")
