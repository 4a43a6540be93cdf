"""Charts on the wire: the parameters of a query, and the body that asks for a link with the same ones."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.api.schemas.backtests import VERSION
from app.api.schemas.base import MOMENT, Encodable, Input, Output, QueryTime
from app.api.schemas.forecasts import POINT, Fill, OnMissing, Point, parse_levels
from app.api.schemas.training import Quantiles
from app.services.charts.service import MOST_SERIES, ChartRequest
from app.services.forecasting.inputs.request import ForecastRequest

Format = Literal["svg", "png"]
Theme = Literal["light", "dark"]
Model = Annotated[Encodable, StringConstraints(min_length=1, max_length=120), VERSION]
SeriesIds = Annotated[
    list[Annotated[Encodable, StringConstraints(min_length=1, max_length=200)]],
    Field(min_length=1, max_length=MOST_SERIES),
]
Horizon = Annotated[int, Field(ge=1, le=1_000_000)]
Steps = Annotated[int, Field(ge=1, le=5000)]
Origin = Annotated[Encodable, StringConstraints(max_length=64), MOMENT]
Title = Annotated[Encodable, StringConstraints(max_length=200)]
Width = Annotated[int, Field(ge=320, le=2400)]
Height = Annotated[int, Field(ge=200, le=2400)]
MONTH_SECONDS = 30 * 24 * 3600

HISTORY = "steps shown before the forecast; by default three horizons or two seasons, whichever is longer"
FORMAT = "by default what `Accept` likes more, and svg of equals: an <img> cannot set Accept"
HEIGHT = "pixels; by default what the panels need"


class ChartQuery(BaseModel):
    """What GET /forecast/chart draws."""

    model_config = ConfigDict(extra="forbid")

    model: Model = Field(examples=["bikes"])
    series: SeriesIds = Field(description="repeat it for more: each has a panel", examples=[["bikes/station 7"]])
    horizon: Horizon | None = None
    quantiles: Annotated[str, StringConstraints(max_length=4000)] | None = Field(
        None, description="pairs such as 0.1,0.9 are drawn as intervals", examples=["0.1,0.9"]
    )
    origin: QueryTime | None = Field(None, description="later observations are not seen by the forecast, and are shown")
    covariate_fill: Fill | None = None
    on_missing: OnMissing | None = None
    point: Point = Field("median", description=POINT)
    history: Steps | None = Field(None, description=HISTORY)
    theme: Theme = "light"
    title: Title | None = Field(None, description="by default the series' id, or the model's name for many")
    width: Width = Field(960, description="pixels")
    height: Height | None = Field(None, description=HEIGHT)
    format: Format | None = Field(None, description=FORMAT)
    expires: Annotated[str, StringConstraints(max_length=20)] | None = Field(None, description="of a signed link")
    key: Annotated[str, StringConstraints(max_length=20)] | None = Field(None, description="of a signed link")
    signature: Annotated[str, StringConstraints(max_length=100)] | None = Field(None, description="of a signed link")

    @field_validator("quantiles")
    @classmethod
    def _numbers(cls, text: str | None) -> str | None:
        parse_levels(text)
        return text

    def request(self, kind: Format) -> ChartRequest:
        """Return what is asked for, as a picture of a kind."""
        forecast = ForecastRequest(
            model=self.model,
            series=tuple(self.series),
            horizon=self.horizon,
            quantiles=parse_levels(self.quantiles),
            origin=self.origin,
            covariate_fill=self.covariate_fill,
            on_missing=self.on_missing,
            point=self.point,
        )
        return ChartRequest(forecast, kind, self.theme, self.title, self.width, self.height, self.history)


class ChartLinkIn(Input):
    """A chart, and for how long a link shows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "bikes",
                "series": ["bikes/station 7"],
                "quantiles": [0.1, 0.9],
                "theme": "dark",
                "expires_in": 86400,
            }
        }
    )

    model: Model
    series: SeriesIds
    horizon: Horizon | None = None
    quantiles: Quantiles | None = None
    origin: Origin | None = None
    covariate_fill: Fill | None = None
    on_missing: OnMissing | None = None
    point: Point | None = Field(None, description=POINT)
    history: Steps | None = Field(None, description=HISTORY)
    theme: Theme = "light"
    title: Title | None = None
    width: Width = 960
    height: Height | None = Field(None, description=HEIGHT)
    format: Format = "svg"
    expires_in: int = Field(3600, ge=1, le=MONTH_SECONDS, description="seconds; thirty days at most")

    def query(self) -> list[tuple[str, str]]:
        """Return the parameters of GET /forecast/chart that draw this."""
        pairs: list[tuple[str, str]] = []
        for name, value in self.model_dump(exclude={"expires_in"}, exclude_none=True).items():
            if name == "series":
                pairs += [(name, item) for item in value]
            elif name == "quantiles":
                pairs.append((name, ",".join(repr(level) for level in value)))
            else:
                pairs.append((name, str(value)))
        return pairs


class ChartLinkOut(Output):
    """A link: path and query, to be put behind the address of this service."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "url": "/forecast/chart?model=bikes&series=bikes%2Fstation%207&theme=dark&width=960&format=svg"
                "&expires=1709251200&key=3&signature=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
                "expires_at": "2024-03-01T00:00:00+00:00",
            }
        }
    )

    url: str
    expires_at: str
