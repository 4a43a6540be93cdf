"""The API process: wiring only."""

import asyncio
import functools
import importlib.metadata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.datastructures import State
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.api import (
    access,
    alerts,
    anomalies,
    audit,
    backtests,
    bulk,
    charts,
    covariates,
    export,
    forecasts,
    ingest,
    jobs,
    keys,
    labels,
    login,
    observations,
    projects,
    registry,
    retention,
    rules,
    series,
    system,
    training,
    usage,
    watch,
)
from app.api.compat import influxdb, prometheus, remote_write
from app.api.deps import Services, name_scopes
from app.api.http import problems
from app.api.http.dispatch import Dispatcher
from app.api.http.fast_route import FastRouter
from app.api.http.middleware import Limits, Metrics, RequestContext
from app.api.http.operations import OperationTable
from app.api.links import add_links
from app.api.parameters import drop_nulls
from app.api.schemas.base import Problem
from app.config import Settings
from app.jobs.queue import JobQueue
from app.logs import get_logger
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
from app.services.ingest.service import ImportService
from app.services.jobs.events import EventService
from app.services.jobs.service import JobService
from app.services.jobs.submission import Submission
from app.services.metrics.service import MetricsService
from app.services.registry.bundles import BundleService
from app.services.registry.loader import VersionLoader
from app.services.registry.service import ModelService
from app.services.samples.rules import RuleService
from app.services.samples.service import SampleService
from app.services.schedules.service import ScheduleService
from app.services.series.export import ExportService
from app.services.series.health import SeriesHealthService
from app.services.series.observations import ObservationService
from app.services.series.retention import RetentionService
from app.services.series.service import SeriesService
from app.services.series.thinning import CACHE_BYTES, ThinningService
from app.services.training.refresh import RefreshService
from app.services.training.service import TrainingService
from app.serving.cache import ModelCache
from app.serving.charts.drawer import ChartDrawer
from app.serving.explainer import Explainer
from app.serving.lru import LruCache
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database
from app.web import pages

log = get_logger(__name__)

DESCRIPTION = """Stores time series, trains LSTM models on them in the background, and answers forecasts.

Every error is an RFC 9457 problem document with a `code`; its `detail` says what to do next. Where keys are on, send
`Authorization: Bearer …`."""


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "content": {problems.MEDIA_TYPE: {}}},
    503: {
        "model": Problem,
        "content": {problems.MEDIA_TYPE: {}},
        "description": "not now: the database is away, or there is too much to do; Retry-After says when to ask again",
    },
}
"""what any operation may answer"""


class Application:
    """The whole service as an ASGI application: our layers, and the framework inside them.

    Calls of the fast routes pass the framework by: it costs more than a forecast.
    """

    def __init__(self, framework: FastAPI, settings: Settings, collectors: CollectorRegistry) -> None:
        limits = Limits(settings.max_body_bytes, settings.max_import_bytes, settings.max_held_bytes)
        self._framework = framework
        fast_routes = forecasts.router.routes
        self.operations = OperationTable(framework.routes)
        """all paths with their methods, and what each takes"""
        dispatcher = Dispatcher(FastRouter(framework, fast_routes), self.operations)
        self._layers = RequestContext(
            FastRouter(dispatcher, fast_routes), Metrics(collectors), limits, settings.trusted_proxies
        )

    @property
    def state(self) -> State:
        """What the lifespan opened: services, settings, collectors."""
        return self._framework.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._framework
        await self._layers(scope, receive, send)


@functools.cache
def _collect_routes() -> tuple[BaseRoute, ...]:
    """Return the routes of all routers, which every application shares: the framework takes a fifth of a second to read
    what they declare."""
    framework = FastAPI(responses=RESPONSES, openapi_url=None)
    # a series' id may hold slashes, so suffixes come first
    data = (ingest, export, observations, series, labels, bulk, covariates, retention, rules)
    models = (training, jobs, registry, forecasts, charts, backtests, watch, anomalies)
    management = (access, login, keys, projects, usage, audit, system)
    for module in (*data, *models, alerts, *management, prometheus, remote_write, influxdb, pages):
        framework.include_router(module.router)
    return tuple(framework.routes)


def create_app(settings: Settings) -> Application:
    """Build the application; databases and caches are opened by its lifespan."""
    collectors = CollectorRegistry()
    app = FastAPIOffline(  # /docs brings its scripts along: a closed network has no other source for them
        title="Gatecast",
        version=importlib.metadata.version("gatecast"),
        description=DESCRIPTION,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to the host and scheme that the request named
        lifespan=_lifespan,
        responses=RESPONSES,
    )
    app.state.settings = settings
    app.state.registry = collectors
    problems.install(app)
    app.router.routes.extend(_collect_routes())
    app.openapi = functools.partial(_describe, app, app.openapi)  # type: ignore[method-assign]
    shapes = {remote_write.PATH: remote_write.answer_error, f"{prometheus.PREFIX}/": prometheus.answer_error}
    shapes |= dict.fromkeys(influxdb.PATHS, influxdb.answer_error)
    problems.shape_errors(app, shapes)
    return Application(app, settings, collectors)


def _describe(app: FastAPI, generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the OpenAPI document, which is made once, with the scope that each operation needs, and with links."""
    is_new = app.openapi_schema is None
    document = generate()
    if is_new:
        name_scopes(document, app.routes)
        add_links(document)
        drop_nulls(document)
    return document


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    database = Database(settings.database)
    queue = JobQueue(database)
    cache = ModelCache(settings.model_cache_bytes)
    explainer = Explainer(settings.artifacts, settings.explain_seconds)
    drawer = ChartDrawer(settings.chart_seconds)
    app.state.services = _services(settings, database, queue, cache, explainer, drawer)
    _observe(app.state.registry, cache, app.state.services)
    if settings.bootstrap_key_file is not None:
        app.state.services.keys.bootstrap(settings.bootstrap_key_file)
    address = settings.database
    log.info("api_started", database=address.get_backend_name(), host=address.host, name=address.database)
    app.state.services.forecasts.start(asyncio.get_running_loop())
    try:
        yield
    finally:
        explainer.close()
        drawer.close()
        app.state.services.forecasts.close()
        app.state.services.keys.close()
        app.state.services.requests.close()
        queue.close()
        database.dispose()


def _services(
    settings: Settings,
    database: Database,
    queue: JobQueue,
    cache: ModelCache,
    explainer: Explainer,
    drawer: ChartDrawer,
) -> Services:
    store = ArtifactStore(settings.artifacts)
    submission = Submission(queue, settings)
    versions = VersionLoader(store, cache, settings.serving_device)
    rates = RateLimiter(settings.request_limits, settings.value_limits)
    requests = RequestCounter(database)
    forecasts = ForecastService(database, versions, explainer, rates, settings)
    keys = KeyService(database, settings.auth == "on", settings.stale_seconds)
    sessions = SessionService(database, settings)
    return Services(
        keys=keys,
        sessions=sessions,
        authentication=Authentication(keys, sessions),
        requests=requests,
        rates=rates,
        key_management=KeyManagement(database),
        projects=ProjectService(database),
        series=SeriesService(database),
        series_health=SeriesHealthService(database, settings),
        observations=ObservationService(database),
        exports=ExportService(database),
        thinning=ThinningService(database, LruCache(CACHE_BYTES)),
        covariates=CovariateService(database),
        retention=RetentionService(database),
        imports=ImportService(database),
        rules=RuleService(database),
        samples=SampleService(database, settings.max_body_bytes),
        training=TrainingService(database, submission, settings),
        refreshes=RefreshService(database, submission),
        jobs=JobService(database, queue, store),
        events=EventService(database),
        models=ModelService(database, store, versions),
        bundles=BundleService(database, store),
        schedules=ScheduleService(database, submission),
        skill=SkillService(database),
        backtests=BacktestService(database, submission, store, settings),
        anomalies=AnomalyService(database, submission, versions, settings),
        watches=WatchService(database),
        alerts=AlertService(database, settings.webhook_private == "allow"),
        forecasts=forecasts,
        metrics=MetricsService(database, forecasts),
        charts=ChartService(database, forecasts, drawer),
        links=LinkService(database, settings.auth == "on"),
        health=HealthService(database, store),
        audit=AuditService(database),
        usage=UsageService(database, requests, rates),
    )


def _observe(registry: CollectorRegistry, cache: ModelCache, services: Services) -> None:
    """Put the process and what it serves from into the metrics."""
    forecasts = services.forecasts

    class CacheCollector(Collector):
        def collect(self) -> list[GaugeMetricFamily | CounterMetricFamily]:
            about = "Samples that were sent: taken in, dropped by a rule's bounds, or matched by no rule."
            samples = CounterMetricFamily("gatecast_ingest_samples", about, labels=["outcome"])
            for outcome, count in services.samples.counts.items():
                samples.add_metric([outcome], count)
            return [
                samples,
                GaugeMetricFamily("gatecast_model_cache_bytes", "Bytes of loaded versions.", value=cache.bytes),
                GaugeMetricFamily("gatecast_model_cache_versions", "Loaded versions.", value=len(cache)),
                GaugeMetricFamily("gatecast_context_cache_bytes", "Bytes of contexts.", value=forecasts.contexts.bytes),
                GaugeMetricFamily("gatecast_context_cache_series", "Contexts.", value=len(forecasts.contexts)),
                GaugeMetricFamily("gatecast_forecasts_waiting", "Forecasts under way.", value=forecasts.waiting),
                CounterMetricFamily("gatecast_model_cache_loads", "Versions loaded so far.", value=cache.loads),
            ]

    registry.register(CacheCollector())
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
