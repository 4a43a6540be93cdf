"""What routes depend on: the services that the lifespan built, the caller's scope, pages and idempotency."""

import hashlib
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import BaseRoute

from app.api.cookies import read_session, refuse_foreign
from app.api.schemas.base import Documented
from app.errors import ErrorCode, FieldError, Forbidden, Invalid
from app.scope import Right, Scope, storable
from app.services.access.authentication import Authentication
from app.services.access.keys import KeyService
from app.services.access.links import LinkService
from app.services.access.management import KeyManagement
from app.services.access.projects import ProjectService
from app.services.access.rate_limits import RateLimiter
from app.services.access.request_counts import RequestCounter
from app.services.access.sessions import SessionService
from app.services.access.usage import UsageService
from app.services.alerts.service import AlertService
from app.services.anomalies.service import AnomalyService
from app.services.anomalies.watch import WatchService
from app.services.audit import AuditService
from app.services.charts.service import ChartService
from app.services.covariates.service import CovariateService
from app.services.evaluation.backtests import BacktestService
from app.services.evaluation.skill import SkillService
from app.services.forecasting.service import ForecastService
from app.services.health import HealthService
from app.services.idempotency import Idempotency
from app.services.ingest.service import ImportService
from app.services.jobs.events import EventService
from app.services.jobs.service import JobService
from app.services.metrics.service import MetricsService
from app.services.registry.bundles import BundleService
from app.services.registry.service import ModelService
from app.services.samples.rules import RuleService
from app.services.samples.service import SampleService
from app.services.schedules.service import ScheduleService
from app.services.series.export import ExportService
from app.services.series.health import SeriesHealthService
from app.services.series.observations import ObservationService
from app.services.series.retention import RetentionService
from app.services.series.service import SeriesService
from app.services.series.thinning import ThinningService
from app.services.training.refresh import RefreshService
from app.services.training.service import TrainingService


@dataclass(frozen=True)
class Services:
    """Everything that the routes call."""

    keys: KeyService
    sessions: SessionService
    authentication: Authentication
    requests: RequestCounter
    rates: RateLimiter
    key_management: KeyManagement
    projects: ProjectService
    series: SeriesService
    series_health: SeriesHealthService
    observations: ObservationService
    exports: ExportService
    thinning: ThinningService
    covariates: CovariateService
    retention: RetentionService
    imports: ImportService
    rules: RuleService
    samples: SampleService
    training: TrainingService
    refreshes: RefreshService
    jobs: JobService
    events: EventService
    models: ModelService
    bundles: BundleService
    schedules: ScheduleService
    skill: SkillService
    backtests: BacktestService
    anomalies: AnomalyService
    alerts: AlertService
    watches: WatchService
    forecasts: ForecastService
    metrics: MetricsService
    charts: ChartService
    links: LinkService
    health: HealthService
    audit: AuditService
    usage: UsageService


def get_services(request: Request) -> Services:
    """Return the services of this application."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


bearer = HTTPBearer(auto_error=False, description="a key from `gatecast keys create NAME`; not asked for with auth off")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


ANSWER_HEADERS = "gatecast.answer_headers"
"""where a request's ASGI scope has what returns further headers of its answer, as that is sent"""
AnswerHeaders = Callable[[], list[tuple[bytes, bytes]]]


def caller(request: Request, services: ServicesDep, credentials: Credentials) -> Scope:
    """Return the scope of a caller, whatever that may do. Raises Unauthorized, Forbidden, TooManyRequests."""
    if services.keys.is_open:
        refuse_foreign(request.method, request.headers)
    scope = identify(request, services, credentials.credentials if credentials else None)
    return admitted(scope, services, request.scope)


def identify(request: Request, services: Services, secret: str | None) -> Scope:
    """Return the scope of a caller by their bearer, or else by the cookie of their session.

    Raises Unauthorized, Forbidden.
    """
    cookie = read_session(request.method, request.headers) if secret is None else None
    return services.authentication.identify(secret, cookie)


def admitted(scope: Scope, services: Services, asgi_scope: MutableMapping[str, Any]) -> Scope:
    """Count a caller's request; where there are limits, its answer tells of them. Raises TooManyRequests."""
    services.requests.add(scope)
    if services.rates.is_on:
        asgi_scope[ANSWER_HEADERS] = partial(services.rates.describe, scope)
        services.rates.admit(scope)
    return scope


def allowed(right: Right, scope: Scope, *, by_series: bool = False) -> Scope:
    """Return the scope of a caller who has a right. Raises Forbidden.

    `by_series`: the call is about series alone, so that a key with labels, which is about some of them, may make it.
    """
    if scope.labels and not by_series:
        detail = "this key is about the series with some labels, and this call about more than those; use another key"
        raise Forbidden(ErrorCode.forbidden, detail)
    if right not in scope.rights:
        held = ", ".join(one for one in Right if one in scope.rights) or "none"
        detail = f"this call needs the scope {right.value!r}, and the key has {held}; use one that was made with it"
        raise Forbidden(ErrorCode.scope_missing, detail)
    return scope


X_SCOPE = "x-scope"
"""what the OpenAPI document calls the scope that an operation needs"""
ANY = "any"
"""scope of an operation that every valid key may ask for"""
OPEN = "none"
"""scope of an operation that needs no key"""


@dataclass(frozen=True)
class Require:
    """A dependency: the scope of a caller who has a right. The OpenAPI document names the right as `x-scope`."""

    right: Right
    by_series: bool = False
    """whether a key with labels may make the call"""

    def __call__(self, request: Request, services: ServicesDep, credentials: Credentials) -> Scope:
        """Return the scope. Raises Unauthorized, TooManyRequests, Forbidden."""
        return allowed(self.right, caller(request, services, credentials), by_series=self.by_series)


CallerScope = Annotated[Scope, Depends(caller)]
ReadScope = Annotated[Scope, Depends(Require(Right.read))]
ForecastScope = Annotated[Scope, Depends(Require(Right.forecast))]
SeriesReadScope = Annotated[Scope, Depends(Require(Right.read, by_series=True))]
SeriesForecastScope = Annotated[Scope, Depends(Require(Right.forecast, by_series=True))]
SeriesWriteScope = Annotated[Scope, Depends(Require(Right.write, by_series=True))]
WriteScope = Annotated[Scope, Depends(Require(Right.write))]
TrainScope = Annotated[Scope, Depends(Require(Right.train))]
AdminScope = Annotated[Scope, Depends(Require(Right.admin))]


def name_scopes(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Name in an OpenAPI document, as `x-scope`, the scope that each operation needs: `any` key, or `none` at all."""
    for context in iter_route_contexts(routes):
        item = document["paths"].get(context.path_format)
        if item is None or not isinstance(context.original_route, APIRoute):
            continue
        for method in context.methods or ():
            if method.lower() in item:
                item[method.lower()].setdefault(X_SCOPE, _name_scope(context.dependant))


def name_scope(right: Right) -> dict[str, str]:
    """Return what a route declares in the OpenAPI document that finds its caller in a way of its own."""
    return {X_SCOPE: right.value}


def needs_key(dependant: Dependant) -> bool:
    """Say whether a route asks for its caller."""
    return _name_scope(dependant) != OPEN


def _name_scope(dependant: Dependant) -> str:
    right = _find_right(dependant)
    if right is not None:
        return right.value
    return ANY if any(one.call is caller for one in dependant.dependencies) else OPEN


def _find_right(dependant: Dependant) -> Right | None:
    """Return the right that a route requires, however deep in its dependencies."""
    if isinstance(dependant.call, Require):
        return dependant.call.right
    return next((right for one in dependant.dependencies if (right := _find_right(one)) is not None), None)


_PRINTABLE = Documented("^[!-~]([ -~]{0,198}[!-~])?$")
IdempotencyKey = Annotated[
    Annotated[str, _PRINTABLE] | None,
    Header(
        alias="idempotency-key",
        description="a repeated call with the same key and body is given the first call's answer",
    ),
]


async def idempotency(request: Request, idempotency_key: IdempotencyKey = None) -> Idempotency | None:
    """Return the caller's Idempotency-Key with the digest of the body and query. Raises Invalid."""
    if idempotency_key is None:
        return None
    return checked_key(request, idempotency_key, hashlib.sha256(await request.body()).hexdigest())


def checked_key(request: Request, key: str, body_digest: str) -> Idempotency:
    """Return an Idempotency-Key that can be kept. Raises Invalid."""
    if not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
        detail = "an Idempotency-Key has 1 to 200 printable ASCII characters"
        raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("header.idempotency-key", "invalid", detail)])
    route = f"{request.method} {request.url.path}"
    digest = hashlib.sha256(f"{route}?{request.url.query}\n{body_digest}".encode()).hexdigest()
    return Idempotency(key, route[:200], digest)


IdempotencyDep = Annotated[Idempotency | None, Depends(idempotency)]
Cursor = Annotated[str | None, Query(max_length=4000, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="items of a page", examples=[100])]


MOST_LABELS = 100
Labels = Annotated[
    list[Annotated[str, Documented("^[^:]+:")]] | None,
    Query(max_length=MOST_LABELS, description="key:value; repeat it, and all must hold"),
]


def labels_of(pairs: list[str]) -> list[tuple[str, str]]:
    """Return the labels of `label=key:value` parameters. Raises Invalid."""
    labels = []
    for pair in pairs:
        key, colon, value = pair.partition(":")
        if not colon or not key or not storable(pair):
            detail = "a label filter is label=key:value"
            raise Invalid(ErrorCode.invalid_input, detail, errors=[FieldError("query.label", "invalid", detail)])
        labels.append((key, value))
    return labels
