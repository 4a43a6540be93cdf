"""/models/{name}/watch and /anomalies/verdicts: scanning of values as they arrive, and what people say of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import Cursor, Limit, ReadScope, ServicesDep, WriteScope
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf, QueryTime
from app.api.schemas.watch import AlarmOut, VerdictIn, WatchIn, WatchOut
from app.services.anomalies.watch import WatchRequest

router = APIRouter(tags=["judging"])


@router.put("/models/{name}/watch", response_model=WatchOut, responses={201: {"model": WatchOut}})
def put_watch(name: str, body: WatchIn, scope: WriteScope, services: ServicesDep) -> Response:
    """Scan the values of series as they arrive, from the next one on, by what the champion expected of them."""
    selector: dict[str, Any] | None
    if isinstance(body.series, list):
        selector = {"ids": body.series}
    else:
        selector = body.series.model_dump(exclude_none=True) if body.series is not None else None
    ignore = [rule.model_dump(exclude_none=True) for rule in body.ignore]
    request = WatchRequest(selector, body.level, body.alarms_per_week, body.ahead, ignore)
    new, view = services.watches.put(scope, name, request)
    return ok(view, status=201 if new else 200)


@router.get("/models/{name}/watch", response_model=WatchOut)
def get_watch(name: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read what a watch scans, and how good its alarms were by the verdicts of people."""
    return ok(services.watches.get(scope, name))


@router.delete("/models/{name}/watch", status_code=204)
def delete_watch(name: str, scope: WriteScope, services: ServicesDep) -> Response:
    """End a watch; its alarms and the verdicts stay."""
    services.watches.delete(scope, name)
    return Response(status_code=204)


@router.get("/models/{name}/watch/alarms", response_model=PageOf[AlarmOut], responses=describe_list(AlarmOut))
def list_alarms(
    name: str,
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    since: Annotated[QueryTime | None, Query(description="time of the first value, such as 2024-03-01")] = None,
    series: Annotated[list[str] | None, Query(description="repeat it for more; all where left out")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the alarms of a watch by the time of their values, the newest first, each with the verdict on it."""
    return answer_list(
        request, services.watches.list_alarms(scope, name, since, series or [], cursor, limit), AlarmOut, form
    )


@router.post("/anomalies/verdicts", status_code=204)
def add_verdict(body: VerdictIn, scope: WriteScope, services: ServicesDep) -> Response:
    """Say that a value was normal, or an anomaly. It counts in precision and recall of the watch, and moves the
    threshold of its series from the next value on. A later verdict on the same value replaces it."""
    services.watches.add_verdict(scope, body.series, body.ds, body.verdict)
    return Response(status_code=204)
