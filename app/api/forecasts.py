"""/forecast, by POST and by GET."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.deps import ServicesDep
from app.api.http.fast_route import Asked, AskedDep, CallerDep, DirectRoute, Reply
from app.api.http.negotiation import chosen
from app.api.http.responses import server_timing
from app.api.schemas.forecasts import ForecastIn, ForecastOut, ForecastQuery, LabelsIn
from app.errors import ErrorCode, FieldError, Invalid
from app.services.forecasting.inputs.contexts import History
from app.services.forecasting.inputs.request import ForecastRequest
from app.services.forecasting.outputs.writers import Form
from app.services.forecasting.pending import Answer

router = APIRouter(tags=["forecasts"], route_class=DirectRoute)

ROWS = 'unique_id,ds,yhat,q0.1,q0.9\n"bikes/station 7","2024-03-01T13:00:00+01:00",42.0,30.5,55.0\n'
FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            Form.csv.value: {"schema": {"type": "string"}, "example": ROWS},
            Form.arrow.value: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {"Server-Timing": {"description": "queue, context, model, encode", "schema": {"type": "string"}}},
    }
}
LONGEST_DEADLINE_MS = 3_600_000


@router.post("/forecast", response_model=ForecastOut, responses=FORMATS)
async def post_forecast(found: ServicesDep, caller: CallerDep, asked: AskedDep, body: ForecastIn) -> Reply:
    """Forecast stored series from their newest observations, or series that are sent along. A series that cannot be
    forecast says why, beside the good results; in CSV and Arrow it has one row with nothing but its id."""
    form = chosen(Form, asked.accept)
    answer = await found.forecasts.answer(caller, _request(body), form, deadline=_deadline(asked))
    return _reply(answer, form)


@router.get(
    "/forecast",
    response_model=ForecastOut,
    responses={**FORMATS, 304: {"description": "the client's answer still holds"}},
)
async def get_forecast(
    found: ServicesDep, caller: CallerDep, asked: AskedDep, query: Annotated[ForecastQuery, Query()]
) -> Reply:
    """The same for polling: with the ETag of the answer before, an answer that still holds is 304 and costs no
    forecast; `max_age` takes one that may be older than the last observation."""
    form = chosen(Form, asked.accept)
    answer = await found.forecasts.answer(
        caller, query.request, form, match=asked.match, tagged=True, deadline=_deadline(asked)
    )
    reply = _reply(answer, form)
    headers = {**reply.headers, "Cache-Control": f"private, max-age={answer.max_age}" if answer.max_age else NO_CACHE}
    if answer.etag is not None:
        headers["ETag"] = answer.etag
    if answer.age:
        headers["Age"] = str(answer.age)
    return Reply(reply.content, reply.media_type, 304 if answer.content is None else 200, headers)


NO_CACHE = "private, no-cache"


def _reply(answer: Answer, form: Form) -> Reply:
    headers = {"Server-Timing": server_timing(answer.timing), "Vary": "Accept"}
    if form is not Form.json:
        headers["X-Model-Version"] = f"{answer.served.model.name}@{answer.served.version.number}"
    if answer.content is None:
        return Reply(b"", None, 304, headers)
    return Reply(answer.content, form.value, 200, headers)


def _request(body: ForecastIn) -> ForecastRequest:
    return ForecastRequest(
        model=body.model,
        series=() if isinstance(body.series, LabelsIn) else tuple(body.series),
        labels=tuple(body.series.labels.items()) if isinstance(body.series, LabelsIn) else None,
        horizon=body.horizon,
        quantiles=None if body.quantiles is None else tuple(body.quantiles),
        origin=body.origin,
        future=body.future,
        history={i: History(**dict(one)) for i, one in body.history.items()},
        covariate_fill=body.covariate_fill,
        on_missing=body.on_missing,
        explain=body.explain,
    )


def _deadline(asked: Asked) -> float | None:
    """Return when nobody waits any more, of time.perf_counter. Raises Invalid."""
    if asked.deadline_ms is None:
        return None
    text = asked.deadline_ms
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= LONGEST_DEADLINE_MS and len(text) < 9):
        detail = f"X-Deadline-Ms is a whole number of milliseconds from 1 to {LONGEST_DEADLINE_MS}"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("header.x-deadline-ms", "invalid", detail)])
    return time.perf_counter() + int(text) / 1000
