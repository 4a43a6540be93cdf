"""POST /api/v1/write: Prometheus remote write 1.0 and 2.0.

What a sender may try again is answered 429 or 503, all else 400 and the like: it gives up on those. What rules drop is
counted as written, since a sender would take it for lost.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.api.compat import prometheus
from app.api.compat.credentials import require
from app.api.deps import ServicesDep
from app.api.http.operations import OpenRoute
from app.errors import ErrorCode, ServiceError, Unsupported
from app.scope import Right, Scope
from app.services.samples.book import SampleProtocol

PATH = f"{prometheus.PREFIX}/write"
PROTOBUF = "application/x-protobuf"
CODING = "snappy"
MESSAGES = {
    "prometheus.WriteRequest": SampleProtocol.remote_write_1,
    "io.prometheus.write.v2.Request": SampleProtocol.remote_write_2,
}
"""by the parameter `proto` of the media type; without it, version 1.0 is meant"""
WRITTEN = "X-Prometheus-Remote-Write-{}-Written"

router = APIRouter(route_class=OpenRoute, include_in_schema=False)


@router.post(PATH)
async def write_samples(
    request: Request, scope: Annotated[Scope, Depends(require(Right.write))], services: ServicesDep
) -> Response:
    """Take in what a Prometheus sends."""
    protocol = _read_protocol(request)
    count = await services.samples.write_remote(scope, protocol, await request.body())
    headers = {WRITTEN.format("Samples"): str(count)}
    headers |= {WRITTEN.format(kind): "0" for kind in ("Histograms", "Exemplars")}  # they are not read
    return Response(status_code=204, headers=headers)


def answer_error(error: ServiceError) -> Response:
    """Answer an error as Prometheus does, with our code: senders write the answer into their log."""
    return prometheus.answer_error(error, code=error.code)


def _read_protocol(request: Request) -> SampleProtocol:
    """Return the version that a body is of. Raises Unsupported."""
    kind, *parameters = [part.strip() for part in request.headers.get("content-type", "").split(";")]
    named = next((part[6:].strip('"') for part in parameters if part.startswith("proto=")), "prometheus.WriteRequest")
    protocol = MESSAGES.get(named) if kind.lower() == PROTOBUF else None
    coding = request.headers.get("content-encoding", "").strip().lower()
    if protocol is None or coding != CODING:
        detail = (
            f"the body came with Content-Type {request.headers.get('content-type', '')[:100]!r} and Content-Encoding "
            f"{coding[:40]!r}; send {PROTOBUF}, or with proto={' or proto='.join(MESSAGES)}, and snappy"
        )
        raise Unsupported(ErrorCode.unsupported_media_type, detail, headers={"Accept-Encoding": CODING})
    return protocol
