"""/alerts: rules on what is known, and messages to whoever wants to be told."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from app.api.deps import Cursor, IdempotencyDep, Limit, ReadScope, ServicesDep, WriteScope
from app.api.http.responses import created, ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.alerts import AlertEventOut, AlertIn, AlertName, AlertOut
from app.api.schemas.base import PageOf
from app.services.alerts.request import AlertRequest, Target

router = APIRouter(prefix="/alerts", tags=["alerts"])


@router.get("", response_model=PageOf[AlertOut], responses=describe_list(AlertOut))
def list_alerts(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List alerts by name, with their states."""
    return answer_list(request, services.alerts.list(scope, cursor, limit), AlertOut, form)


@router.put("/{name}", response_model=AlertOut, responses={201: {"model": AlertOut}})
def put_alert(
    name: Annotated[AlertName, Path()], body: AlertIn, request: Request, scope: WriteScope, services: ServicesDep
) -> Response:
    """Set an alert. It fires once for each series for which its condition holds, and is resolved once; workers send
    the messages, and try again until they are taken. Secrets are never answered."""
    series = body.series
    selector: dict[str, Any] | None
    if isinstance(series, list):
        selector = {"ids": series}
    else:
        selector = series.model_dump(exclude_none=True) if series is not None else None
    targets = [
        Target("webhook", target.webhook, target.secret)
        if target.webhook is not None
        else Target("alertmanager", target.alertmanager or "", None)
        for target in body.send
    ]
    new, view = services.alerts.put(
        scope,
        name,
        AlertRequest(
            subject=body.on,
            model=body.model,
            series=selector,
            when=body.when.model_dump(exclude_none=True),
            targets=targets,
            hold=body.hold,
            keep=body.keep_firing_for,
            page=str(request.base_url),
        ),
    )
    return ok(view, status=201 if new else 200)


@router.get("/{name}", response_model=AlertOut)
def get_alert(name: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read an alert and whether it is firing."""
    return ok(services.alerts.get(scope, name))


@router.delete("/{name}", status_code=204)
def delete_alert(name: str, scope: WriteScope, services: ServicesDep) -> Response:
    """Delete an alert with its history. Nothing more is sent, not even that what fires is resolved."""
    services.alerts.delete(scope, name)
    return Response(status_code=204)


@router.get("/{name}/events", response_model=PageOf[AlertEventOut], responses=describe_list(AlertEventOut))
def list_alert_events(
    name: str,
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the messages of an alert, newest first, and whether they were delivered."""
    return answer_list(request, services.alerts.list_events(scope, name, cursor, limit), AlertEventOut, form)


@router.post("/{name}/test", status_code=202, response_model=AlertEventOut)
def test_alert(name: str, scope: WriteScope, services: ServicesDep, key: IdempotencyDep) -> Response:
    """Send a message with the state `test` to each receiver; its events show when it was delivered."""
    return created(services.alerts.test(scope, name, key))
