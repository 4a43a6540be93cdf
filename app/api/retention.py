"""/retention: how far back series reach."""

from fastapi import APIRouter, Request, Response

from app.api.deps import Cursor, Labels, Limit, ReadScope, ServicesDep, WriteScope, labels_of
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.retention import LabelSelector, RetentionIn, RetentionOut

router = APIRouter(prefix="/retention", tags=["retention"])


@router.get("", response_model=PageOf[RetentionOut], responses=describe_list(RetentionOut))
def list_policies(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the policies. Without any, everything is kept."""
    return answer_list(request, services.retention.list(scope, cursor, limit), RetentionOut, form)


@router.put("", response_model=RetentionOut, responses={201: {"model": RetentionOut}})
def put_policy(body: RetentionIn, scope: WriteScope, services: ServicesDep, dry_run: bool = False) -> Response:
    """Keep of each series what lies within `keep` of its newest value; workers delete older rows once an hour.

    A series follows the policy with the most labels, of several the longest. What its champions read is always kept.
    """
    labels = body.series.labels if isinstance(body.series, LabelSelector) else {}
    if dry_run:
        return ok(services.retention.preview(scope, labels, body.keep))
    new, view = services.retention.put(scope, labels, body.keep)
    return ok(view, status=201 if new else 200)


@router.delete("", status_code=204)
def delete_policy(scope: WriteScope, services: ServicesDep, label: Labels = None) -> Response:
    """Delete the policy of exactly these labels, or without any the project's. What was deleted does not come back."""
    services.retention.delete(scope, dict(labels_of(label or [])))
    return Response(status_code=204)
