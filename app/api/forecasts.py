"""/forecast, by POST and by GET."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from app.api.deps import ReadScope, ServicesDep
from app.api.responses import JSON
from app.api.schemas.forecasts import Fill, ForecastIn, ForecastOut, OnMissing
from app.errors import ErrorCode, FieldError, Invalid
from app.services.contexts import History
from app.services.forecasts import ForecastRequest
from app.services.scopes import Scope

router = APIRouter(tags=["forecasts"])


@router.post("/forecast", response_model=ForecastOut)
async def post_forecast(body: ForecastIn, scope: ReadScope, found: ServicesDep) -> Response:
    """Forecast stored series from their newest observations, or series that are sent along. A series that cannot be
    forecast says why, beside the good results."""
    return await _answer(scope, found, _request(body))


@router.get("/forecast", response_model=ForecastOut)
async def get_forecast(
    scope: ReadScope,
    found: ServicesDep,
    model: Annotated[str, Query(min_length=1, max_length=120, examples=["bikes"])],
    series: Annotated[list[str], Query(description="repeat it for more", examples=[["bikes/station 7"]])],
    horizon: Annotated[int | None, Query(ge=1)] = None,
    quantiles: Annotated[str | None, Query(max_length=4000, examples=["0.1,0.9"])] = None,
    origin: Annotated[str | None, Query(max_length=64, description="later observations are not seen")] = None,
    covariate_fill: Fill | None = None,
    on_missing: OnMissing | None = None,
) -> Response:
    """The same for polling."""
    request = ForecastRequest(
        model=model,
        series=tuple(series),
        horizon=horizon,
        quantiles=_levels(quantiles),
        origin=origin,
        covariate_fill=covariate_fill,
        on_missing=on_missing,
    )
    return await _answer(scope, found, request)


async def _answer(scope: Scope, found: ServicesDep, request: ForecastRequest) -> Response:
    timed = await run_in_threadpool(found.forecasts.forecast, scope, request)
    response = Response(timed.content, media_type=JSON)
    response.headers["Server-Timing"] = ", ".join(f"{k};dur={1000 * v:.2f}" for k, v in timed.timing.items())
    return response


def _request(body: ForecastIn) -> ForecastRequest:
    return ForecastRequest(
        model=body.model,
        series=tuple(body.series),
        horizon=body.horizon,
        quantiles=None if body.quantiles is None else tuple(body.quantiles),
        origin=body.origin,
        future=body.future,
        history={i: History(**dict(one)) for i, one in body.history.items()},
        covariate_fill=body.covariate_fill,
        on_missing=body.on_missing,
        explain=body.explain,
    )


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
