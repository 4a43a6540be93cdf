"""Keys and projects on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.base import Input, Output, Trimmed
from app.scope import Right

ProjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
_KEY: dict[str, Any] = {
    "id": 7,
    "name": "dashboard",
    "begins_with": "gk_4rT0aZ",
    "scopes": ["read", "forecast"],
    "project": "default",
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
    expires_at: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        None, description="a time such as 2030-01-31T00:00:00Z; never when absent"
    )


class RotateIn(Input):
    """How a key is rotated."""

    model_config = ConfigDict(json_schema_extra={"example": {"keep": "24h"}})

    keep: Annotated[str, StringConstraints(max_length=12)] | None = Field(
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
    created_at: str = Field(description="of its newest secret")
    expires_at: str | None
    last_used_at: str | None = Field(description="of its newest secret, to the minute")


class MadeKey(KeyOut):
    """A key with its secret, this once."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**_KEY, "key": "gk_4rT0aZqM1x0VwY8c3nB5kL7pD2sF6hJ9gT4rE0uI8oQ2kX1a"}}
    )

    key: str = Field(description="send it as `Authorization: Bearer …`; it is not shown again")


class ProjectIn(Input):
    """A project that is to be there."""

    model_config = ConfigDict(json_schema_extra={"example": {}})


class ProjectOut(Output):
    """A project."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "team-a", "created_at": "2026-03-01T12:00:00+00:00"}}
    )

    name: str
    created_at: str
