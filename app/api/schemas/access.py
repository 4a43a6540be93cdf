"""What a caller may do, on the wire."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import Output
from app.scope import Right


class AccessOut(Output):
    """The caller's project and rights."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "auth": "on",
                "project": "default",
                "rights": ["read", "write"],
                "key": "dashboard",
                "who": "key dashboard",
                "labels": {},
            }
        }
    )

    auth: Literal["on", "off"] = Field(description="`on`: every call needs a key")
    project: str
    rights: list[Right] = Field(description="what this caller is not refused")
    key: str | None = Field(description="name of the key that was sent; null where none was")
    who: str = Field(description="what the audit log calls the caller")
    labels: dict[str, str] = Field(description="of the series that the caller sees; of all series where there are none")
