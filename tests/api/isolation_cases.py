"""What somebody of another project asks of each operation: a script each, and the statuses that must come back.

Names of the owner's things begin with `alpha`; what has no name stands in angle brackets, such as `<job>`. One intruder
runs a script as it is, another one with names that nobody has: both must be told the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.api.compat import remote_write
from tests.formats.test_remote_write import encode
from tests.services.stored import hours, numbers
from tests.trained import values

Operation = tuple[str, str]
"""method and path of the OpenAPI document"""
LENGTH = 150
ONCE = {"idempotency-key": "alpha-once"}
ASYNC = {"prefer": "respond-async"}
CSV = {"content-type": "text/csv"}
MARK = 31.41592
"""a value that the owner alone has"""


@dataclass(frozen=True)
class Ask:
    """One call of a script; the method is that of its operation unless it says another one."""

    path: str
    status: int = 404
    json: Any = None
    content: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str | None = None


def describe_rows(y: Any) -> dict[str, Any]:
    """Return hourly rows of 2024, with a covariate."""
    return {"ds": hours(0, len(y)), "y": numbers(y), "covariates": {"alpha-temp": numbers(np.round(y / 3, 3))}}


def post(path: str, status: int, json: Any, **headers: str) -> Ask:
    return Ask(path, status, json, method="POST", headers=headers)


def get(path: str, status: int = 200) -> Ask:
    return Ask(path, status, method="GET")


def delete(path: str) -> Ask:
    return Ask(path, 204, method="DELETE")


# the owner's things, as they are made
HALL = "/series/alpha%2Fhall%201"
MODEL = "/models/alpha-model"
SITE = {"labels": {"site": "alpha-site"}}
BY_SITE = "label=site:alpha-site"
HALL_ONLY = ["alpha/hall 1"]
NEW_SERIES = {"id": "alpha/hall 1", "freq": "h", "description": "alpha's own", **SITE, "static": {"alpha-size": 3.0}}
ROWS = describe_rows(np.concatenate([[MARK], values(LENGTH - 1)]))
OTHER_ROWS = describe_rows(2 * values(LENGTH, seed=1) + 50)
TABLE = f"unique_id,ds,y,alpha-temp\nalpha/yard,2024-01-01T00:00:00Z,{MARK},1\nalpha/yard,2024-01-01T01:00:00Z,2,2\n"
BULK = {"series": {"alpha/hall 1": {"ds": hours(LENGTH, LENGTH + 2), "y": [MARK, 20.0]}}}
TWO_SERIES = {"series": dict.fromkeys(("alpha/hall 1", "alpha/yard"), BULK["series"]["alpha/hall 1"])}
TRAIN = {"model": "alpha-new", "series": {"ids": HALL_ONLY}, "horizon": 12, "labels": {"alpha": "run"}}
BACKTEST = {"model": "alpha-model", "series": {"ids": HALL_ONLY}, "n_windows": 2}
SCAN = {"model": "alpha-model", "series": HALL_ONLY, "start": hours(100, 101)[0]}
VERDICT = {"series": "alpha/hall 1", "ds": hours(7, 8)[0], "verdict": "anomaly"}
WATCH = {"series": HALL_ONLY}
SCHEDULE = {"forecast": "5 * * * *"}
TARGET = {"webhook": "https://alpha.example.org/hook", "secret": "alpha-secret-of-the-hook"}
ALERT = {"on": "data", "series": HALL_ONLY, "when": {"silent_for": "6h"}, "send": [TARGET]}
KEEP = {"series": SITE, "keep": "10000D"}
RULE = {"match": {"__name__": "alpha_load"}, "freq": "h", "aggregate": "mean", "id": "alpha/fed/{host}"}
LINES = "alpha_load,host=one value=31.41592 1704067200\n"
FORECAST = {"model": "alpha-model", "series": HALL_ONLY, "horizon": 12}
FORECAST_QUERY = "model=alpha-model&series=alpha%2Fhall%201&horizon=12"
AUTO_QUERY = "model=auto&series=alpha%2Fhall%201&horizon=12"
SELECTOR = "alpha_model:predicted"
SNAPPY = {"content-type": remote_write.PROTOBUF, "content-encoding": remote_write.CODING}
WRITE = encode([({"__name__": "alpha_load", "host": "one"}, [(1_704_067_200_000, 2.5)])])

# the intruder's own things, of the same names
TWIN = (
    post("/series", 201, {"id": "alpha/hall 1", "freq": "h", **SITE}),
    post(f"{HALL}/observations", 200, OTHER_ROWS),
)
OWN_ALERT = Ask("/alerts/alpha-alert", 201, ALERT, method="PUT")
OWN_RULE = Ask("/ingest/rules/alpha-rule", 201, RULE, method="PUT")
FED = get("/series/alpha%2Ffed%2Fone/observations")
PROMETHEUS = "/api/v1"


def query(path: str, **more: Any) -> tuple[Ask, ...]:
    """Return asks for metrics: by the model's name, by a label, and by the series' id."""
    selectors = (SELECTOR, '{site="alpha-site"}', '{series="alpha/hall 1"}')
    return tuple(Ask(path.format(selector), 200, **more) for selector in selectors)


FORM = {"content-type": "application/x-www-form-urlencoded"}
MATCH = "match%5B%5D={}"
RANGE = "query={}&start=1704067200&end=1704153600&step=3600"

CASES: dict[Operation, tuple[Ask, ...]] = {
    # series
    ("POST", "/series/import"): (
        Ask("/series/import?freq=h", 200, content=TABLE, headers=CSV | ONCE),
        get("/series/alpha%2Fyard/observations"),
        Ask("/series/import?freq=h&dry_run=true", 200, content=TABLE, headers=CSV),
    ),
    ("GET", "/series/export"): (
        Ask("/series/export", 200),
        Ask("/series/export?series=alpha%2Fhall%201"),
        Ask("/series/export?prefix=alpha", 200),
        Ask(f"/series/export?{BY_SITE}&format=ndjson", 200),
    ),
    ("POST", "/series/{series_id}/observations"): (
        Ask(f"{HALL}/observations", json=ROWS, headers=ONCE),
        *TWIN,
        Ask(f"{HALL}/observations", 200, json=ROWS, headers=ONCE),
        get(f"{HALL}/observations"),
    ),
    ("GET", "/series/{series_id}/observations"): (
        Ask(f"{HALL}/observations"),
        Ask(f"{HALL}/observations?points=10"),
        Ask(f"{HALL}/observations?format=csv"),
        *TWIN,
        Ask(f"{HALL}/observations?points=10", 200),
        Ask(f"{HALL}/observations?cursor=<rows_cursor>", 200),
    ),
    ("DELETE", "/series/{series_id}/observations"): (
        Ask(f"{HALL}/observations"),
        Ask(f"{HALL}/observations?covariate=alpha-temp"),
        *TWIN,
        Ask(f"{HALL}/observations", 204),
    ),
    ("POST", "/series"): (Ask("/series", 201, json=NEW_SERIES, headers=ONCE), get(HALL), get("/series")),
    ("GET", "/series"): (
        Ask("/series", 200),
        Ask("/series?prefix=alpha&recent=5", 200),
        Ask(f"/series?{BY_SITE}", 200),
        Ask("/series?q=alpha", 200),
        Ask("/series?cursor=<series_cursor>", 200),
    ),
    ("POST", "/series/health"): (
        Ask("/series/health", json={"series": HALL_ONLY}),
        Ask("/series/health", json={"series": SITE}),
        Ask("/series/health", json={"series": "all"}),
        *TWIN,
        Ask("/series/health", 200, json={"series": "all"}),
    ),
    ("GET", "/series/{series_id}/health"): (Ask(f"{HALL}/health"),),
    ("GET", "/series/{series_id}"): (Ask(HALL),),
    ("PUT", "/series/{series_id}"): (Ask(HALL, 201, json={"freq": "D"}), get(HALL)),
    ("DELETE", "/series/{series_id}"): (Ask(HALL), *TWIN, Ask(HALL, 204), Ask(HALL)),
    ("GET", "/labels"): (Ask("/labels", 200), Ask("/labels?q=alpha", 200), *TWIN, Ask("/labels", 200)),
    ("POST", "/observations"): (
        Ask("/observations", 422, json=BULK, headers=ONCE),
        *TWIN,
        Ask("/observations", 200, json=BULK, headers=ONCE),
        Ask("/observations", 422, json=TWO_SERIES),
        get(f"{HALL}/observations?start=2024-01-07T05:00:00Z"),
    ),
    ("GET", "/covariates"): (Ask("/covariates", 200),),
    ("GET", "/covariates/{name}"): (Ask("/covariates/alpha-temp"),),
    ("PUT", "/covariates/{name}"): (
        Ask("/covariates/alpha-temp", 201, json={"kind": "categorical"}),
        get("/covariates/alpha-temp"),
    ),
    ("DELETE", "/covariates/{name}"): (
        Ask("/covariates/alpha-temp"),
        Ask("/covariates/alpha-temp", 201, json={"kind": "numeric"}, method="PUT"),
        Ask("/covariates/alpha-temp", 204),
    ),
    ("GET", "/retention"): (Ask("/retention", 200),),
    ("PUT", "/retention"): (
        Ask("/retention?dry_run=true", 200, json=KEEP | {"keep": "1D"}),
        Ask("/retention", 201, json=KEEP | {"keep": "1D"}),
        get("/retention"),
    ),
    ("DELETE", "/retention"): (
        Ask(f"/retention?{BY_SITE}"),
        Ask("/retention"),
        Ask("/retention", 201, json=KEEP, method="PUT"),
        Ask(f"/retention?{BY_SITE}", 204),
    ),
    # what monitoring sends
    ("GET", "/ingest/rules"): (Ask("/ingest/rules", 200),),
    ("PUT", "/ingest/rules/{name}"): (
        Ask("/ingest/rules/alpha-rule", 201, json=RULE),
        get("/ingest/rules/alpha-rule"),
        get("/series"),
    ),
    ("GET", "/ingest/rules/{name}"): (Ask("/ingest/rules/alpha-rule"),),
    ("DELETE", "/ingest/rules/{name}"): (
        Ask("/ingest/rules/alpha-rule"),
        OWN_RULE,
        Ask("/ingest/rules/alpha-rule", 204),
    ),
    ("POST", "/api/v1/write"): (
        Ask("/api/v1/write", 400, content=WRITE, headers=SNAPPY),
        OWN_RULE,
        Ask("/api/v1/write", 204, content=WRITE, headers=SNAPPY),
        FED,
    ),
    ("POST", "/api/v2/write"): (
        Ask("/api/v2/write?precision=s&bucket=alpha-team&org=alpha-team", 400, content=LINES),
        OWN_RULE,
        Ask("/api/v2/write?precision=s&bucket=alpha-team&org=alpha-team", 204, content=LINES),
        FED,
    ),
    ("POST", "/write"): (
        Ask("/write?precision=s&db=alpha-team", 400, content=LINES),
        OWN_RULE,
        Ask("/write?precision=s&db=alpha-team", 204, content=LINES),
        FED,
    ),
    ("POST", "/query"): (
        Ask("/query?q=CREATE+DATABASE+%22alpha-team%22", 200),
        Ask("/query?q=SELECT+*+FROM+alpha_load", 400),
    ),
    # jobs and models
    ("POST", "/train"): (
        Ask("/train", json=TRAIN, headers=ONCE),
        Ask("/train", json=TRAIN | {"series": SITE}),
        Ask("/train?dry_run=true", json=TRAIN),
        *TWIN,
        Ask("/train?dry_run=true", 200, json={**TRAIN, "series": "all"}),
        Ask("/train", json={**TRAIN, "warm_start": "alpha-model@1"}),
        Ask("/train", 202, json=TRAIN, headers=ONCE),
        get("/jobs"),
    ),
    ("GET", "/jobs"): (
        Ask("/jobs", 200),
        Ask("/jobs?model=alpha-new", 200),
        Ask("/jobs?label=alpha:run", 200),
        Ask("/jobs?cursor=<jobs_cursor>", 200),
    ),
    ("GET", "/jobs/{job_id}"): (Ask("/jobs/<job>"), Ask("/jobs/<backtest>")),
    ("GET", "/jobs/{job_id}/events"): (
        Ask("/jobs/<ended>/events"),
        Ask("/jobs/<job>/events", headers={"last-event-id": "1"}),
    ),
    ("GET", "/jobs/{job_id}/log"): (Ask("/jobs/<ended>/log"),),
    ("GET", "/jobs/{job_id}/losses"): (Ask("/jobs/<ended>/losses"),),
    ("GET", "/jobs/{job_id}/trials"): (Ask("/jobs/<ended>/trials"),),
    ("POST", "/jobs/{job_id}/cancel"): (
        Ask("/jobs/<job>/cancel"),
        Ask("/jobs/<job>/cancel", json={"keep_best": True}),
        Ask("/jobs/<ended>/cancel"),
    ),
    ("GET", "/models"): (
        Ask("/models", 200),
        Ask("/models?series=alpha%2Fhall%201&freq=h"),
        Ask("/models?cursor=<models_cursor>", 200),
    ),
    ("GET", "/models/{name}"): (Ask(MODEL), Ask("/models/alpha-new")),
    ("DELETE", "/models/{name}"): (Ask(MODEL),),
    ("GET", "/models/{name}/versions"): (Ask(f"{MODEL}/versions"),),
    ("GET", "/models/{name}/versions/{number}"): (Ask(f"{MODEL}/versions/1"),),
    ("DELETE", "/models/{name}/versions/{number}"): (Ask(f"{MODEL}/versions/1"),),
    ("GET", "/models/{name}/versions/{number}/bundle"): (
        Ask(f"{MODEL}/versions/1/bundle"),
        Ask(f"{MODEL}/versions/1/bundle?revision=0", headers={"if-none-match": "*"}),
    ),
    ("PUT", "/models/{name}/champion"): (Ask(f"{MODEL}/champion", json={"version": 1}),),
    ("POST", "/models/{name}/refresh"): (Ask(f"{MODEL}/refresh", headers=ONCE),),
    ("PUT", "/models/{name}/schedule"): (Ask(f"{MODEL}/schedule", json=SCHEDULE),),
    ("DELETE", "/models/{name}/schedule"): (Ask(f"{MODEL}/schedule"),),
    ("GET", "/models/{name}/archive"): (Ask(f"{MODEL}/archive"), Ask(f"{MODEL}/archive?series=alpha%2Fhall%201")),
    ("GET", "/models/{name}/skill"): (Ask(f"{MODEL}/skill"),),
    # forecasts
    ("POST", "/forecast"): (
        Ask("/forecast", json=FORECAST),
        Ask("/forecast", json=FORECAST | {"model": "alpha-model@1"}),
        Ask("/forecast", json=FORECAST | {"model": "alpha-new", "on_missing": "floor"}),
        Ask("/forecast", json=FORECAST | {"on_missing": "auto"}),
        Ask("/forecast", json={"model": "auto", "series": SITE}),
        Ask("/forecast", json=FORECAST | {"model": "auto"}),
        *TWIN,
        Ask("/forecast", 200, json={"model": "auto", "series": SITE, "horizon": 12}),
        Ask("/forecast", 200, json={"model": "auto", "series": [*HALL_ONLY, "alpha/yard"], "horizon": 12}),
        Ask("/forecast", 200, json={"model": "auto", "series": HALL_ONLY, "reconcile": {"by": ["site"]}}),
    ),
    ("GET", "/forecast"): (
        Ask(f"/forecast?{FORECAST_QUERY}&max_age=3600"),
        Ask(f"/forecast?{FORECAST_QUERY}", headers={"if-none-match": "<etag>"}),
        Ask(f"/forecast?{AUTO_QUERY}&max_age=3600"),
        *TWIN,
        Ask(f"/forecast?{AUTO_QUERY}&max_age=3600", 200, headers={"if-none-match": "<etag>"}),
        Ask(f"/forecast?{AUTO_QUERY}&max_age=3600", 200),
    ),
    ("POST", "/forecast/chart"): (Ask("/forecast/chart", 200, json={"model": "alpha-model", "series": HALL_ONLY}),),
    ("GET", "/forecast/chart"): (
        Ask(f"/forecast/chart?{FORECAST_QUERY}"),
        Ask(f"/forecast/chart?{AUTO_QUERY}"),
        Ask(f"/forecast/chart?{FORECAST_QUERY}&expires=9999999999&key=<key>&signature=made-up", 403),
    ),
    # judging
    ("POST", "/backtest"): (Ask("/backtest", json=BACKTEST, headers=ONCE),),
    ("GET", "/backtests/{backtest_id}"): (Ask("/backtests/<backtest>"), Ask("/backtests/<job>")),
    ("GET", "/backtests/{backtest_id}/forecasts"): (Ask("/backtests/<backtest>/forecasts"),),
    ("PUT", "/models/{name}/watch"): (Ask(f"{MODEL}/watch", json=WATCH),),
    ("GET", "/models/{name}/watch"): (Ask(f"{MODEL}/watch"),),
    ("DELETE", "/models/{name}/watch"): (Ask(f"{MODEL}/watch"),),
    ("GET", "/models/{name}/watch/alarms"): (Ask(f"{MODEL}/watch/alarms"),),
    ("POST", "/anomalies/verdicts"): (
        Ask("/anomalies/verdicts", json=VERDICT),
        *TWIN,
        Ask("/anomalies/verdicts", 204, json=VERDICT | {"verdict": "normal"}),
    ),
    ("POST", "/anomalies"): (
        Ask("/anomalies", json=SCAN, headers=ASYNC | ONCE),
        Ask("/anomalies", json=SCAN),
        Ask("/anomalies", 200, json=SCAN | {"model": "auto"}),
    ),
    ("GET", "/anomalies/{scan_id}"): (Ask("/anomalies/<scan>"), Ask("/anomalies/<scan>?format=csv")),
    ("GET", "/alerts"): (Ask("/alerts", 200),),
    ("PUT", "/alerts/{name}"): (
        Ask("/alerts/alpha-model-alert", json={"on": "drift", "model": "alpha-model", "send": [TARGET]}),
        Ask("/alerts/alpha-alert", 422, json=ALERT | {"send": [{"webhook": TARGET["webhook"]}]}),
        Ask("/alerts/alpha-alert", 201, json=ALERT),
        get("/alerts/alpha-alert"),
        get("/alerts/alpha-alert/events"),
    ),
    ("GET", "/alerts/{name}"): (Ask("/alerts/alpha-alert"),),
    ("DELETE", "/alerts/{name}"): (
        Ask("/alerts/alpha-alert"),
        OWN_ALERT,
        Ask("/alerts/alpha-alert", 204),
        Ask("/alerts/alpha-alert"),
    ),
    ("GET", "/alerts/{name}/events"): (
        Ask("/alerts/alpha-alert/events"),
        OWN_ALERT,
        Ask("/alerts/alpha-alert/events?cursor=<events_cursor>", 200),
    ),
    ("POST", "/alerts/{name}/test"): (
        Ask("/alerts/alpha-alert/test", headers=ONCE),
        OWN_ALERT,
        Ask("/alerts/alpha-alert/test", 202, headers=ONCE),
        get("/alerts/alpha-alert/events"),
    ),
    # who may do what
    ("GET", "/access"): (Ask("/access", 200),),
    ("POST", "/keys"): (
        Ask("/keys", json={"name": "mine", "scopes": ["read"], "project": "alpha-team"}),
        Ask("/keys", 201, json={"name": "alpha-key", "scopes": ["read"]}),
        get("/keys"),
    ),
    ("GET", "/keys"): (
        Ask("/keys", 200),
        Ask("/keys?project=alpha-team"),
        Ask("/keys?cursor=<keys_cursor>", 200),
    ),
    ("GET", "/keys/{number}"): (Ask("/keys/<key>"),),
    ("DELETE", "/keys/{number}"): (Ask("/keys/<key>"),),
    ("POST", "/keys/{number}/rotate"): (Ask("/keys/<key>/rotate"), Ask("/keys/<key>/rotate", json={"keep": None})),
    ("GET", "/projects"): (Ask("/projects", 200), Ask("/projects?limit=1", 200)),
    ("PUT", "/projects/{name}"): (
        Ask("/projects/alpha-team", 403, json={}),
        Ask("/projects/alpha-team", 403, json={"quotas": {"series": 0}}),
    ),
    ("GET", "/projects/{name}"): (Ask("/projects/alpha-team"),),
    ("DELETE", "/projects/{name}"): (Ask("/projects/alpha-team", 403),),
    ("GET", "/usage"): (Ask("/usage", 200), *TWIN, Ask("/usage", 200)),
    ("GET", "/audit"): (
        Ask("/audit", 200),
        Ask("/audit?action=series", 200),
        Ask("/audit?cursor=<audit_cursor>", 200),
        Ask("/audit?format=ndjson", 200),
    ),
    # Prometheus
    ("GET", "/api/v1/query"): query(f"{PROMETHEUS}/query?query={{}}&time=1704153600"),
    ("POST", "/api/v1/query"): (
        Ask(f"{PROMETHEUS}/query", 200, content=f"query={SELECTOR}&time=1704153600", headers=FORM),
    ),
    ("GET", "/api/v1/query_range"): query(f"{PROMETHEUS}/query_range?{RANGE}"),
    ("POST", "/api/v1/query_range"): (
        Ask(f"{PROMETHEUS}/query_range", 200, content=RANGE.format(SELECTOR), headers=FORM),
    ),
    ("GET", "/api/v1/labels"): (Ask(f"{PROMETHEUS}/labels", 200), *query(f"{PROMETHEUS}/labels?{MATCH}")),
    ("POST", "/api/v1/labels"): (Ask(f"{PROMETHEUS}/labels", 200, content=MATCH.format(SELECTOR), headers=FORM),),
    ("GET", "/api/v1/label/{name}/values"): (
        Ask(f"{PROMETHEUS}/label/__name__/values", 200),
        Ask(f"{PROMETHEUS}/label/site/values", 200),
        *query(f"{PROMETHEUS}/label/series/values?{MATCH}"),
    ),
    ("GET", "/api/v1/series"): query(f"{PROMETHEUS}/series?{MATCH}"),
    ("POST", "/api/v1/series"): (Ask(f"{PROMETHEUS}/series", 200, content=MATCH.format(SELECTOR), headers=FORM),),
    ("GET", "/api/v1/metadata"): (
        Ask(f"{PROMETHEUS}/metadata", 200),
        Ask(f"{PROMETHEUS}/metadata?metric={SELECTOR}", 200),
    ),
    ("GET", "/api/v1/status/buildinfo"): (Ask(f"{PROMETHEUS}/status/buildinfo", 200),),
    # the service
    ("GET", "/livez"): (Ask("/livez", 200),),
    ("GET", "/readyz"): (Ask("/readyz", 200),),
    ("GET", "/metrics"): (Ask("/metrics", 200),),
}
"""by operation, in the order of the document"""
