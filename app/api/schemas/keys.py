"""Keys and projects on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import DURATION, MOMENT, Input, Output, Trimmed
from app.api.schemas.series import SeriesLabels
from app.scope import Right

ProjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
_KEY: dict[str, Any] = {
    "id": 7,
    "name": "dashboard",
    "begins_with": "gk_4rT0aZ",
    "scopes": ["read", "forecast"],
    "project": "default",
    "labels": {},
    "created_at": "2026-03-01T12:00:00+00:00",
    "expires_at": None,
    "last_used_at": None,
}


class KeyIn(Input):
    """A key that is to be made."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "dashboard", "scopes": ["read", "forecast"]}})

    name: Annotated[Trimmed, StringConstraints(min_length=1, max_length=100)] = Field(description="what it is for")
    scopes: Annotated[list[Annotated[Right, Field(strict=False)]], Field(min_length=1, max_length=10)] = Field(
        description="what it may do; none of them implies another"
    )
    project: ProjectName | None = Field(None, description="the caller's own when absent")
    expires_at: Annotated[str, StringConstraints(max_length=40), MOMENT] | None = Field(
        None, description="a time such as 2030-01-31T00:00:00Z; never when absent"
    )
    labels: SeriesLabels = Field(
        default_factory=dict,
        description="it is about the series that have all of these labels, and about nothing else; it may read, "
        "forecast and write then",
    )


class RotateIn(Input):
    """How a key is rotated."""

    model_config = ConfigDict(json_schema_extra={"example": {"keep": "24h"}})

    keep: Annotated[str, StringConstraints(max_length=12), DURATION] | None = Field(
        "24h", description="how long the secret before still works, such as 10min, 24h, 7D; null: not at all"
    )


class KeyOut(Output):
    """A key. Its secret is in no answer but that which made it."""

    model_config = ConfigDict(json_schema_extra={"example": _KEY})

    id: int
    name: str
    begins_with: str = Field(description="of its newest secret")
    scopes: list[Right]
    project: str
    labels: dict[str, str] = Field(description="of the series that it is about; of all series where there are none")
    created_at: str = Field(description="of its newest secret")
    expires_at: str | None
    last_used_at: str | None = Field(description="of its newest secret, to the minute")


class MadeKey(KeyOut):
    """A key with its secret, this once."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**_KEY, "key": "gk_4rT0aZqM1x0VwY8c3nB5kL7pD2sF6hJ9gT4rE0uI8oQ2kX1a"}}
    )

    key: str = Field(description="send it as `Authorization: Bearer …`; it is not shown again")


Quota = Annotated[int, Field(ge=0, le=10**15)]


class Quotas(Input):
    """How much a project may have. What is absent or null is not limited."""

    observations: Quota | None = Field(None, description="stored rows")
    series: Quota | None = None
    models: Quota | None = None
    jobs: Quota | None = Field(None, description="queued and running")
    trainings_per_day: Quota | None = Field(None, description="asked for within 24 hours")


class ProjectIn(Input):
    """A project that is to be there."""

    model_config = ConfigDict(json_schema_extra={"example": {"quotas": {"series": 1000, "trainings_per_day": 20}}})

    quotas: Quotas | None = Field(None, description="those of the project stay as they are when absent")


class ProjectOut(Output):
    """A project."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "team-a", "quotas": {"series": 1000}, "created_at": "2026-03-01T12:00:00+00:00"}
        }
    )

    name: str
    quotas: dict[str, int] = Field(description="what is limited")
    created_at: str


class UsedOut(Output):
    """How much there is of something."""

    model_config = ConfigDict(json_schema_extra={"example": {"limit": 1000, "used": 12}})

    limit: int | None = Field(description="null: none")
    used: int


class UsageOut(Output):
    """How much a project has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "minute": {"limit": 3000, "used": 12},
                "month": {"limit": None, "used": 81_214},
                "observations": {"limit": None, "used": 48_000},
                "series": {"limit": 1000, "used": 12},
                "models": {"limit": None, "used": 2},
                "jobs": {"limit": 4, "used": 0},
                "trainings_per_day": {"limit": 20, "used": 1},
            }
        }
    )

    minute: UsedOut = Field(description="requests with this key in this minute, as this process counts them")
    month: UsedOut = Field(description="requests of the project in this month; the limit is that of a key")
    observations: UsedOut
    series: UsedOut
    models: UsedOut
    jobs: UsedOut = Field(description="queued and running")
    trainings_per_day: UsedOut = Field(description="asked for within 24 hours")
