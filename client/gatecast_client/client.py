"""A small HTTP client of a running service. It depends on the HTTP contract alone."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import IO, Any, Literal, Self, cast
from urllib.parse import quote

import httpx2

from gatecast_client.downloads import open_target, read_coded
from gatecast_client.errors import LOST, ClientError, build_error, parse_document, translate_errors
from gatecast_client.jobs import TERMINAL, Job
from gatecast_client.tables import Format, TableBody, TableSource, open_table, read_name

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_SECONDS = 0.5
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ATTEMPTS = 6
"""at an import: they are spread over half a minute, in which a service that was restarted is back"""
RETRY_SECONDS = 1.0
"""before the second attempt; each later wait is twice as long"""
RUNNING = "idempotency_key_in_use"
"""code of the service while an earlier call with the same key runs"""
BUSY = frozenset({502, 503, 504})
"""statuses of a service that is away for a moment"""
PATIENT = httpx2.Timeout(None, connect=5)
"""of calls whose answer comes when a whole table is checked and written"""


class Client:
    """A client of one service. Every method that calls it raises ClientError."""

    def __init__(self, url: str = DEFAULT_URL, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            address = httpx2.URL(self.url)
            if address.scheme not in {"http", "https"} or not address.host:
                raise ValueError(f"{url!r} is not like {DEFAULT_URL}")
            self._http = httpx2.Client(
                base_url=address,
                headers=headers,
                timeout=httpx2.Timeout(60, connect=5),
                # a proxy that the environment names is not used for an address on this machine
                trust_env=address.host not in LOOPBACK,
            )
        except (httpx2.InvalidURL, ValueError) as e:
            raise ClientError("Unusable address or key", str(e), "unreachable", "check --url and --key") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def import_table(
        self, table: TableSource, *, format: Format | None = None, key: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """Send a table and return the service's report; a compressed file is sent as it is.

        `table` is a data frame of pandas or polars, the path of a file, an open file (one that seeks), or bytes.
        `format` is that of the file's name where it is absent, else CSV. `options` are the query of the call: freq,
        timezone, ds_start, ds_format, columns, layout, delimiter, decimal, encoding, on_error, on_duplicate, ambiguous,
        empty_y, dry_run.

        When the connection is lost in the middle, or the service is away for a moment, the table is sent again with the
        same Idempotency-Key, so that nothing is imported twice. `key` is that key, for a retry of one's own.
        """
        with open_table(table, format) as body:
            if body.delimiter is not None:
                options = {"delimiter": body.delimiter, **_drop_unset(options)}
            return self._send_table(body, _drop_unset(options), key or uuid.uuid4().hex)

    def import_csv(self, table: bytes | IO[bytes], **options: Any) -> dict[str, Any]:
        """Send a CSV; `import_table` takes everything else too."""
        return self.import_table(table, format="csv", **options)

    def _send_table(self, body: TableBody, params: Mapping[str, Any], key: str) -> dict[str, Any]:
        headers = {**body.headers, "idempotency-key": key}
        request = {"params": params, "headers": headers, "timeout": PATIENT}
        attempt = 1
        while True:
            try:
                return self._call("POST", "/series/import", content=body.read_chunks(), **request)
            except ClientError as e:
                is_running = e.code == RUNNING and attempt > 1
                never_there = attempt == 1 and isinstance(e.__cause__, httpx2.ConnectError)
                is_over = attempt == ATTEMPTS or not (e.code == LOST or e.status in BUSY)
                if not is_running and (never_there or is_over):
                    raise
            time.sleep(RETRY_SECONDS * 2 ** (attempt - 1))
            if not is_running:  # the call before goes on by itself, and its answer will come
                attempt += 1

    def export_table(
        self, target: str | PathLike[str] | IO[bytes], series: Sequence[str] = (), **selection: Any
    ) -> int:
        """Write the table of some series, or of all of them, to a file; return the bytes written.

        `target` is a path, whose name says the format and whether it is compressed (`.csv.gz`), or an open file. The
        file appears when the table is whole. `selection` is that of `read_export`.
        """
        name = str(target) if isinstance(target, (str, PathLike)) else ""
        with open_target(target) as file:
            return sum(file.write(chunk) for chunk in self.read_export(name, series, **selection))

    def read_export(
        self,
        name: str = "",
        series: Sequence[str] = (),
        *,
        prefix: str | None = None,
        labels: Mapping[str, str] | None = None,
        start: str | None = None,
        end: str | None = None,
        format: Format | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a table as they arrive; a lost connection raises, so that no part passes for the whole.

        `name` is that of a file, and says the format where `format` is absent (else CSV), and a compression.
        """
        told = read_name(name)
        params = {
            "series": list(series) or None,
            "prefix": prefix,
            "label": [f"{label}:{value}" for label, value in (labels or {}).items()] or None,
            "start": start,
            "end": end,
            "format": format or told.format or "csv",
        }
        request: dict[str, Any] = {"params": _drop_unset(params), "timeout": PATIENT}
        if told.coding is not None:
            request["headers"] = {"accept-encoding": told.coding}
        with (
            translate_errors(self.url, "GET /series/export"),
            self._http.stream("GET", "/series/export", **request) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise build_error(answer, parse_document(answer))
            yield from read_coded(answer, told.coding)

    def observe(
        self,
        series_id: str,
        ds: Sequence[str],
        y: Sequence[float | None],
        covariates: Mapping[str, Sequence[float | str | None]] | None = None,
    ) -> dict[str, Any]:
        """Add observations to a series, or replace those of the same times; None is a missing value.

        `covariates` are the other columns of the same rows, numbers or text, by name.
        """
        body = {"ds": list(ds), "y": list(y), "covariates": _list_columns(covariates)}
        return self._call("POST", f"/series/{quote(series_id, safe='')}/observations", json=_drop_unset(body))

    def observe_many(self, series: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Write observations of many series, all or none: {id: {"ds": […], "y": […], "covariates": {name: […]}}}.

        Returns {"series": {id: {"inserted", "updated", "version"}}}.
        """
        return self._call("POST", "/observations", json={"series": series})

    def read_observations(
        self,
        series_id: str,
        *,
        start: str | None = None,
        end: str | None = None,
        points: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """Return a page of a series' rows in columns, from `start` (inclusive) to `end` (exclusive).

        `points` thins them for a chart: `low`, `high` and the last `y` of each of so many buckets at most. Whole tables
        come by `export_table`.
        """
        params = _drop_unset({"start": start, "end": end, "points": points, "limit": limit, "cursor": cursor})
        return self._call("GET", f"/series/{quote(series_id, safe='')}/observations", params=params)

    def health(self, series_id: str, horizon: int | None = None) -> dict[str, Any]:
        """Return what may surprise a training of a series, and what would change that."""
        params = _drop_unset({"horizon": horizon})
        return self._call("GET", f"/series/{quote(series_id, safe='')}/health", params=params)

    def train(self, model: str, series: Mapping[str, object] | str, horizon: int, **more: object) -> Job:
        """Queue a training and return its job; `series` is `{"ids": […]}`, `{"labels": {…}}` or `"all"`."""
        body = {"model": model, "series": series, "horizon": horizon, **more}
        return cast(Job, self._call("POST", "/train", json=_drop_unset(body)))

    def preview_training(
        self, model: str, series: Mapping[str, object] | str, horizon: int, **more: object
    ) -> dict[str, Any]:
        """Return what `train` with the same arguments would take (`estimate`), and what may surprise it (`checks`).

        Nothing is queued, and what `train` would be refused for is refused here.
        """
        body = {"model": model, "series": series, "horizon": horizon, **more}
        return self._call("POST", "/train", json=_drop_unset(body), params={"dry_run": True})

    def refresh(self, model: str, **options: object) -> Job:
        """Queue a refresh of a model's champion and return its job: what needs no training takes new observations in.

        `options` are those of any job: labels, priority, timeout_s, queue. The revision that it makes is in the job's
        `result` once it has succeeded.
        """
        return cast(Job, self._call("POST", f"/models/{quote(model, safe='')}/refresh", json=_drop_unset(options)))

    def promote(self, model: str, version: int, revision: int | None = None) -> dict[str, Any]:
        """Make a version the champion, as one of its revisions (0: as it was trained), and return the model."""
        body = _drop_unset({"version": version, "revision": revision})
        return self._call("PUT", f"/models/{quote(model, safe='')}/champion", json=body)

    def job(self, job_id: str) -> Job:
        """Return a job as it is now."""
        return cast(Job, self._call("GET", f"/jobs/{quote(job_id, safe='')}"))

    def watch(self, job_id: str, poll_seconds: float = POLL_SECONDS) -> Iterator[Job]:
        """Yield the job's state now and after every poll; the last one is terminal."""
        while True:
            job = self.job(job_id)
            yield job
            if job["status"] in TERMINAL:
                return
            time.sleep(poll_seconds)

    def forecast(
        self,
        model: str,
        series: Sequence[str],
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        future: Mapping[str, Mapping[str, Sequence[float | str | None]]] | None = None,
        point: Literal["median", "mean"] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return the forecasts of stored series by `name`, `name@7` or `name@7.3`; each carries its own status.

        `point` says what `yhat` is of the forecast distribution: the median by default. `fields` are further ones of
        the call, as they are: `aggregate`, `paths`, `seed`, `reconcile`, `scenarios`, `extrapolate`, `history` …
        `future` is {series id: {covariate: values}}: what is known ahead, from the first step of the horizon on.
        """
        ahead = {name: _list_columns(columns) for name, columns in future.items()} if future is not None else None
        body = {
            "model": model,
            "series": list(series),
            "horizon": horizon,
            "quantiles": quantiles,
            "future": ahead,
            "point": point,
            **fields,
        }
        return self._call("POST", "/forecast", json=_drop_unset(body))

    def model(self, name: str) -> dict[str, Any]:
        """Return a model: frequency, horizon, quantiles, champion and versions."""
        return self._call("GET", f"/models/{quote(name, safe='')}")

    def version(self, name: str, number: int) -> dict[str, Any]:
        """Return one version of a model: configuration, metrics, loss curve, revisions."""
        return self._call("GET", f"/models/{quote(name, safe='')}/versions/{number}")

    def ready(self) -> bool:
        """Say whether the service answers and is ready."""
        try:
            return self._http.get("/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        with translate_errors(self.url, f"{method} {path}"):
            answer = self._http.request(method, path, **request)
        document = parse_document(answer)
        if answer.is_success and document is not None:
            return document
        raise build_error(answer, document)


def _drop_unset(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None; the service chooses the others."""
    return {name: value for name, value in options.items() if value is not None}


def _list_columns(
    columns: Mapping[str, Sequence[float | str | None]] | None,
) -> dict[str, list[float | str | None]] | None:
    return {name: list(values) for name, values in columns.items()} if columns is not None else None
