"""/forecast, by POST and by GET."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.deps import ServicesDep
from app.api.http.fast_route import CallerDep, FastResponse, FastRoute, Headers, HeadersDep
from app.api.http.negotiation import chosen
from app.api.http.responses import server_timing
from app.api.http.tables import describe_forms
from app.api.schemas.forecast_answers import ForecastOut
from app.api.schemas.forecasts import ForecastFormat, ForecastIn, ForecastQuery, LabelsIn
from app.errors import ErrorCode, FieldError, Invalid
from app.formats.forms import Form
from app.services.forecasting.inputs.request import ForecastRequest, History
from app.services.forecasting.pending import ForecastResponse

router = APIRouter(tags=["forecasts"], route_class=FastRoute)

ROWS = 'unique_id,ds,yhat,q0.1,q0.9\n"bikes/station 7","2024-03-01T13:00:00+01:00",42.0,30.5,55.0\n'
FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        **describe_forms(Form, ROWS)[200],
        "headers": {
            "Server-Timing": {"description": "queue, context, replay, model, encode", "schema": {"type": "string"}}
        },
    }
}
LONGEST_DEADLINE_MS = 3_600_000
NO_CACHE = "private, no-cache"


@router.post("/forecast", response_model=ForecastOut, responses=FORMATS)
async def post_forecast(
    services: ServicesDep,
    caller: CallerDep,
    headers: HeadersDep,
    body: ForecastIn,
    query: Annotated[ForecastFormat, Query()],
) -> FastResponse:
    """Forecast stored series from their newest observations, or series that are sent along. A series that cannot be
    forecast says why, beside the good results; in a table it has one row with nothing but its id."""
    form = chosen(Form, headers.accept, query.format)
    response = await services.forecasts.respond(caller, _to_request(body), form, deadline=_parse_deadline(headers))
    return _encode(response, form)


@router.get(
    "/forecast",
    response_model=ForecastOut,
    responses={**FORMATS, 304: {"description": "the client's answer still holds"}},
)
async def get_forecast(
    services: ServicesDep, caller: CallerDep, headers: HeadersDep, query: Annotated[ForecastQuery, Query()]
) -> FastResponse:
    """The same for polling: with the ETag of the answer before, an answer that still holds is 304 and costs no
    forecast; `max_age` takes one that may be older than the last observation."""
    form = chosen(Form, headers.accept, query.format)
    response = await services.forecasts.respond(
        caller,
        query.request,
        form,
        if_none_match=headers.if_none_match,
        wants_etag=True,
        deadline=_parse_deadline(headers),
    )
    encoded = _encode(response, form)
    return encoded._replace(headers={**encoded.headers, **_list_caching_headers(response)})


def _list_caching_headers(response: ForecastResponse) -> dict[str, str]:
    """Return how long a client may keep a response, and what it revalidates it by."""
    headers = {"Cache-Control": f"private, max-age={response.max_age}" if response.max_age else NO_CACHE}
    if response.etag is not None:
        headers["ETag"] = response.etag
    if response.age:
        headers["Age"] = str(response.age)
    return headers


def _encode(response: ForecastResponse, form: Form) -> FastResponse:
    headers = {"Server-Timing": server_timing(response.timing), "Vary": "Accept"}
    if form is not Form.json:
        stored = response.version.stored
        headers["X-Model-Version"] = stored.reference
    if response.content is None:
        return FastResponse(b"", None, 304, headers)
    return FastResponse(response.content, form.value, 200, headers)


def _to_request(body: ForecastIn) -> ForecastRequest:
    return ForecastRequest(
        model=body.model,
        series=() if isinstance(body.series, LabelsIn) else tuple(i for i in body.series if i not in body.history),
        labels=tuple(body.series.labels.items()) if isinstance(body.series, LabelsIn) else None,
        horizon=body.horizon,
        quantiles=None if body.quantiles is None else tuple(body.quantiles),
        origin=body.origin,
        future=body.future,
        history={i: History(**dict(history)) for i, history in body.history.items()},
        covariate_fill=body.covariate_fill,
        on_missing=body.on_missing,
        point=body.point,
        explain=body.explain,
        questions=body.questions,
    )


def _parse_deadline(headers: Headers) -> float | None:
    """Return the time of time.perf_counter after which nobody waits for the response. Raises Invalid."""
    text = headers.deadline_ms
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= LONGEST_DEADLINE_MS and len(text) < 9):
        detail = f"X-Deadline-Ms is a whole number of milliseconds from 1 to {LONGEST_DEADLINE_MS}"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("header.x-deadline-ms", "invalid", detail)])
    return time.perf_counter() + int(text) / 1000
