"""/ingest/rules: which samples of monitoring protocols become series."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.deps import Cursor, Limit, ReadScope, ServicesDep, WriteScope
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.rules import RuleIn, RuleName, RuleOut
from app.services.samples.rules import RuleRequest

router = APIRouter(prefix="/ingest/rules", tags=["ingest"])


@router.get("", response_model=PageOf[RuleOut], responses=describe_list(RuleOut))
def list_rules(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the rules by name: in this order they are tried, and the first that matches takes a sample."""
    return answer_list(request, services.rules.list(scope, cursor, limit), RuleOut, form)


@router.put("/{name}", response_model=RuleOut, responses={201: {"model": RuleOut}})
def put_rule(name: Annotated[RuleName, Path()], body: RuleIn, scope: WriteScope, services: ServicesDep) -> Response:
    """Set a rule: what `POST /api/v1/write` (Prometheus remote write), `POST /api/v2/write` and `/write` (InfluxDB line
    protocol) bring becomes series by it. Line protocol offers the measurement as `__name__`, `field`, and its tags."""
    rule = RuleRequest(
        body.match,
        body.freq,
        body.aggregate,
        body.timezone,
        body.id,
        body.labels,
        body.create,
        body.limit,
        body.late,
    )
    new, view = services.rules.put(scope, name, rule)
    return ok(view, status=201 if new else 200)


@router.get("/{name}", response_model=RuleOut)
def get_rule(name: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Show a rule, and what it has taken in."""
    return ok(services.rules.get(scope, name))


@router.delete("/{name}", status_code=204)
def delete_rule(name: str, scope: WriteScope, services: ServicesDep) -> Response:
    """Delete a rule. The series that it fed stay, and get nothing more by it."""
    services.rules.delete(scope, name)
    return Response(status_code=204)
