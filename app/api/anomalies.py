"""/anomalies."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from app.api.deps import IdempotencyDep, ReadScope, ServicesDep
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.schemas.anomalies import AnomaliesIn, AnomaliesOut, ScanOut
from app.api.schemas.jobs import JobOut
from app.services.anomalies.plan import Scan
from app.services.anomalies.service import AnomalyRequest

router = APIRouter(tags=["judging"])

BACKGROUND = "respond-async"
JOB: dict[int | str, dict[str, Any]] = {
    202: {**ACCEPTED[202], "model": JobOut, "description": "a job makes it: GET /anomalies/{id} has the result"}
}


@router.post("/anomalies", response_model=AnomaliesOut, responses=JOB)
def anomalies(
    body: AnomaliesIn,
    scope: ReadScope,
    services: ServicesDep,
    key: IdempotencyDep,
    prefer: Annotated[str | None, Header(description="`respond-async` makes it a job")] = None,
) -> Response:
    """Score the values of stored series by how improbable a model held them for; a long span becomes a job."""
    labels = {name: [(window.start, window.end) for window in windows] for name, windows in body.labels.items()}
    scan = Scan(tuple(body.series), body.start, body.end, body.level, body.ahead, labels)
    in_background = prefer is not None and BACKGROUND in (part.strip().lower() for part in prefer.split(","))
    answer = services.anomalies.scan(
        scope, AnomalyRequest(body.model, scan, in_background), options_of(body, body.job_labels), key
    )
    response = created(answer)
    if in_background:
        response.headers["Preference-Applied"] = BACKGROUND
    return response


@router.get("/anomalies/{scan_id}", response_model=ScanOut)
def get_scan(scan_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a scan that was made by a job."""
    return ok(services.anomalies.get(scope, scan_id))
