"""The audit log on the wire."""

from typing import Any

from pydantic import ConfigDict, Field

from app.api.schemas.base import Output


class AuditOut(Output):
    """Something that was done."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "at": "2026-03-01T12:00:00+00:00",
                "who": "key dashboard",
                "key": 7,
                "action": "series.delete",
                "target": "bikes/station 7",
                "request_id": "0f8c7d1d0c5b4c56a2ff30f1f0a3c001",
                "address": "192.0.2.7",
                "before": {"id": "bikes/station 7", "freq": "h"},
                "after": None,
            }
        }
    )

    at: str
    who: str = Field(description="`key NAME`, `anyone` with auth off or at the command line, `schedule`")
    key: int | None = Field(description="number of the key, since names may be given twice")
    action: str
    target: str
    request_id: str | None = Field(description="`X-Request-ID` of the call; null where there was none")
    address: str | None = Field(description="whom the call came from")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
