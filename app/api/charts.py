"""/forecast/chart: forecasts as pictures, for callers with a key and for those with a signed link."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from app.api.deps import Credentials, SeriesForecastScope, ServicesDep, admitted, allowed, caller, name_scope
from app.api.http.negotiation import chosen
from app.api.http.operations import OwnQueryRoute
from app.api.http.query import declare_model
from app.api.http.responses import ok, server_timing
from app.api.schemas.charts import ChartLinkIn, ChartLinkOut, ChartQuery
from app.scope import Right, Scope
from app.services.access.links import SIGNED

router = APIRouter(tags=["forecasts"])
signed = APIRouter(route_class=OwnQueryRoute)
"""routes that check their parameters themselves: a link that was changed is refused as a link"""

PATH = "/forecast/chart"


class Image(StrEnum):
    """What a chart is answered as, by the name in `format`."""

    svg = "image/svg+xml"
    png = "image/png"


HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the chart",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in Image},
    },
    304: {"description": "the caller has this chart already"},
}


def chart_reader(request: Request, services: ServicesDep, credentials: Credentials) -> Scope:
    """Return the scope of a caller who may forecast, or has a link. Raises Unauthorized, TooManyRequests, Forbidden,
    Invalid."""
    query = request.query_params.multi_items()
    if SIGNED.isdisjoint(name for name, _ in query):
        scope = allowed(Right.forecast, caller(request, services, credentials), by_series=True)
    else:
        scope = admitted(services.links.open(PATH, query), services, request.scope)
    declare_model(ChartQuery).check_names(name for name, _ in query)
    return scope


@signed.get(PATH, response_class=Response, responses=PICTURES, openapi_extra=name_scope(Right.forecast))
def get_chart(
    scope: Annotated[Scope, Depends(chart_reader)],
    services: ServicesDep,
    query: Annotated[ChartQuery, Query()],
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header(max_length=4000)] = None,
) -> Response:
    """Draw forecasts beside what was observed before them: history, median, prediction intervals. A series that cannot
    be forecast says why in its panel."""
    image = chosen(Image, accept, query.format)
    picture = services.charts.draw(scope, query.request("png" if image is Image.png else "svg"), if_none_match)
    headers = HEADERS | {"ETag": picture.etag, "Server-Timing": server_timing(picture.timing)}
    if picture.content is None:
        return Response(status_code=304, headers=headers)
    return Response(picture.content, headers=headers, media_type=image)


@router.post(PATH, response_model=ChartLinkOut)
def post_chart(body: ChartLinkIn, scope: SeriesForecastScope, services: ServicesDep) -> Response:
    """Make a link to a chart that needs no key, until it expires or the key that made it is revoked."""
    return ok(services.links.create(scope, PATH, body.query(), body.expires_in))


router.include_router(signed)
