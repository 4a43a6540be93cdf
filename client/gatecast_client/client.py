"""A small HTTP client of a running service. It depends on the HTTP contract alone."""

import gzip
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Literal, Self, TypedDict, cast
from urllib.parse import quote

import httpx2

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_SECONDS = 0.5
TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
NEXT_STEP = {
    401: "pass a key with --key or GATECAST_KEY",
    403: "the key lacks the right for this; use another with --key or GATECAST_KEY",
    413: "send less at once, or raise the service's limit",
    503: "the service is not ready; see its log, and try again",
}
"""next step by HTTP status, where the service's response may not say it"""


class ClientError(Exception):
    """A call that failed: what the service said, and what to do next."""

    def __init__(self, title: str, detail: str, code: str = "", hint: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.title = title
        self.detail = detail
        self.code = code
        """one of the service's error codes, or one of the client's own, such as `unreachable`"""
        self.hint = hint


class JobProgress(TypedDict):
    """The progress of a job; None where a value is not known yet."""

    fraction: float | None
    epoch: int | None
    epochs: int | None
    train_loss: float | None
    val_loss: float | None
    eta_s: float | None
    trial: int | None
    trials: int | None


class JobFailure(TypedDict):
    """The reason why a job failed."""

    code: str
    detail: str


class Job(TypedDict):
    """A background job as the service describes it."""

    id: str
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: JobProgress | None
    model: str | None
    version: int | None
    error: JobFailure | None


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

    def import_csv(self, table: bytes | IO[bytes], **options: str | bool | None) -> dict[str, Any]:
        """Send a long table `unique_id, ds, y` and return the service's report; a gzipped file is unpacked on the way.

        `options` are the query of POST /series/import: freq, timezone, ds_start, ambiguous, empty_y, on_error,
        on_duplicate, dry_run.
        """
        content = table if isinstance(table, bytes) else _read_chunks(table)
        request = {"params": _drop_unset(options), "content": content, "headers": {"content-type": "text/csv"}}
        return self._call("POST", "/series/import", **request, timeout=None)

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

    def train(self, model: str, series: Mapping[str, object] | str, horizon: int, **more: object) -> Job:
        """Queue a training and return its job; `series` is `{"ids": […]}`, `{"labels": {…}}` or `"all"`."""
        body = {"model": model, "series": series, "horizon": horizon, **more}
        return cast(Job, self._call("POST", "/train", json=_drop_unset(body)))

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
    ) -> dict[str, Any]:
        """Return the forecasts of stored series; each carries its own status.

        `future` is {series id: {covariate: values}}: what is known ahead, from the first step of the horizon on.
        """
        ahead = {name: _list_columns(columns) for name, columns in future.items()} if future is not None else None
        body = {"model": model, "series": list(series), "horizon": horizon, "quantiles": quantiles, "future": ahead}
        return self._call("POST", "/forecast", json=_drop_unset(body))

    def model(self, name: str) -> dict[str, Any]:
        """Return a model: frequency, horizon, quantiles, champion and versions."""
        return self._call("GET", f"/models/{quote(name, safe='')}")

    def version(self, name: str, number: int) -> dict[str, Any]:
        """Return one version of a model: configuration, metrics, loss curve."""
        return self._call("GET", f"/models/{quote(name, safe='')}/versions/{number}")

    def ready(self) -> bool:
        """Say whether the service answers and is ready."""
        try:
            return self._http.get("/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **request)
        except httpx2.ConnectError as e:
            detail = f"nothing answers at {self.url}"
            hint = "start it with 'gatecast up', or name another address with --url or GATECAST_URL"
            raise ClientError("The service cannot be reached", detail, "unreachable", hint) from e
        except httpx2.TimeoutException as e:
            hint = "see the service's log; try again, or request less at once"
            raise ClientError("No answer in time", f"{method} {self.url}{path}", "timeout", hint) from e
        except httpx2.TransportError as e:
            hint = "see the service's log and try again"
            raise ClientError("The connection broke", str(e), "unreachable", hint) from e
        document = _parse_document(answer)
        if answer.is_success and document is not None:
            return document
        raise _build_error(answer, document)


def _drop_unset(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that are not None; the service chooses the others."""
    return {name: value for name, value in options.items() if value is not None}


def _list_columns(
    columns: Mapping[str, Sequence[float | str | None]] | None,
) -> dict[str, list[float | str | None]] | None:
    return {name: list(values) for name, values in columns.items()} if columns is not None else None


def _read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    plain = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
    try:
        while chunk := plain.read(CHUNK_BYTES):
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise ClientError("The file is damaged", str(e), "damaged_file", "create or download it again") from e


def _parse_document(answer: httpx2.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _build_error(answer: httpx2.Response, document: Mapping[str, Any] | None) -> ClientError:
    """Build an error from a problem document; anything else comes from another service, or from a proxy."""
    if document is None or "detail" not in document:
        hint = "check that --url names a Gatecast service"
        excerpt = f"{answer.status_code} from {answer.url}: {answer.text[:200]}"
        return ClientError("Not a Gatecast response", excerpt, "unexpected_answer", hint)
    fields = [f"{e.get('field', '')}: {e.get('detail', '')}" for e in document.get("errors") or []]
    detail = "\n  ".join([str(document["detail"]), *fields])
    hint = NEXT_STEP.get(answer.status_code, "")
    title = str(document.get("title", answer.status_code))
    code = str(document.get("code", ""))
    return ClientError(title, detail, code, hint)
