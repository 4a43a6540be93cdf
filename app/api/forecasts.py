"""/forecast, by POST and by GET."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from app.api.deps import ReadScope, ServicesDep
from app.api.responses import JSON
from app.api.schemas.models import ForecastIn, ForecastOut
from app.errors import ErrorCode, FieldError, Invalid
from app.services.forecasts import ForecastRequest
from app.services.scopes import Scope

router = APIRouter(tags=["forecasts"])


@router.post("/forecast", response_model=ForecastOut)
async def post_forecast(body: ForecastIn, scope: ReadScope, found: ServicesDep) -> Response:
    """Forecast stored series from their newest observations. A series that cannot be forecast says why, beside
    the good results."""
    quantiles = None if body.quantiles is None else tuple(body.quantiles)
    return await _answer(scope, found, ForecastRequest(body.model, tuple(body.series), body.horizon, quantiles))


@router.get("/forecast", response_model=ForecastOut)
async def get_forecast(
    scope: ReadScope,
    found: ServicesDep,
    model: Annotated[str, Query(min_length=1, max_length=120, examples=["bikes"])],
    series: Annotated[list[str], Query(description="repeat it for more", examples=[["bikes/station 7"]])],
    horizon: Annotated[int | None, Query(ge=1)] = None,
    quantiles: Annotated[str | None, Query(max_length=4000, examples=["0.1,0.9"])] = None,
) -> Response:
    """The same for polling."""
    return await _answer(scope, found, ForecastRequest(model, tuple(series), horizon, _levels(quantiles)))


async def _answer(scope: Scope, found: ServicesDep, request: ForecastRequest) -> Response:
    timed = await run_in_threadpool(found.forecasts.forecast, scope, request)
    response = Response(timed.content, media_type=JSON)
    response.headers["Server-Timing"] = ", ".join(f"{k};dur={1000 * v:.2f}" for k, v in timed.timing.items())
    return response


def _levels(text: str | None) -> tuple[float, ...] | None:
    """Read `0.1,0.9`. Raises Invalid."""
    if text is None:
        return None
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError:
        levels = ()
    if not 1 <= len(levels) <= 99 or not all(0 < level < 1 for level in levels):
        detail = "quantiles are 1 to 99 numbers between 0 and 1, separated by commas"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.quantiles", "invalid", detail)])
    return levels
