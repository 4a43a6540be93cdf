"""What a training would be, on the wire."""

from pydantic import ConfigDict, Field

from app.api.schemas.base import Output
from app.api.schemas.health import HEALTH_EXAMPLE, HealthReport
from app.api.schemas.jobs import EstimateOut


class TrainingEstimate(EstimateOut):
    """What a training would take."""

    seconds: float | None = Field(
        description="at most, roughly: the time budget, or the pace of the model's last training; null without either"
    )


class TrainingChecks(HealthReport):
    """The checks of the first of the selected series, in the shape of POST /series/health."""

    checked: int = Field(description="series that `items` holds, the first by their ids: 100, or half a million rows")
    series: int = Field(description="series that are selected")


class TrainPreview(Output):
    """What a training would take, and what may surprise it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "estimate": {
                    "rows": 17_544,
                    "windows": 17_300,
                    "steps": 2400,
                    "memory_bytes": 830_000_000,
                    "seconds": 60.0,
                },
                "checks": {"items": [HEALTH_EXAMPLE], "counts": {"gaps": 1}, "checked": 1, "series": 1},
            }
        }
    )

    estimate: TrainingEstimate
    checks: TrainingChecks
