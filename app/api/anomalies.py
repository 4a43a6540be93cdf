"""/anomalies."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from app.api.deps import ForecastScope, IdempotencyDep, ReadScope, ServicesDep
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.http.tables import VARY, FormDep, describe_forms
from app.api.schemas.anomalies import AnomaliesIn, AnomaliesOut, ScanOut
from app.api.schemas.jobs import JobOut
from app.errors import Conflict, ErrorCode
from app.formats.forms import Form
from app.services.anomalies.plan import Scan
from app.services.anomalies.service import AnomalyRequest
from app.services.anomalies.tables import write_scans

router = APIRouter(tags=["judging"])

ROWS = (
    "unique_id,ds,y,expected,lower,upper,score,anomaly,alarm\n"
    '"bikes/station 7","2024-03-01T12:00:00+01:00",412,96.5,40.1,161.9,7.2,true,true\n'
)
BACKGROUND = "respond-async"
JOB: dict[int | str, dict[str, Any]] = {
    202: {**ACCEPTED[202], "model": JobOut, "description": "a job makes it: GET /anomalies/{id} has the result"}
}


@router.post("/anomalies", response_model=AnomaliesOut, responses={**describe_forms(Form, ROWS), **JOB})
def anomalies(
    body: AnomaliesIn,
    scope: ForecastScope,
    services: ServicesDep,
    key: IdempotencyDep,
    form: FormDep,
    prefer: Annotated[str | None, Header(description="`respond-async` makes it a job")] = None,
) -> Response:
    """Score the values of stored series by how improbable a model held them for; a long span becomes a job, whose
    answer is always JSON. In a table a series that cannot be scored has one row with nothing but its id."""
    labels = {name: [(window.start, window.end) for window in windows] for name, windows in body.labels.items()}
    scan = Scan(tuple(body.series), body.start, body.end, body.level, body.ahead, body.alarms_per_week, labels)
    in_background = prefer is not None and BACKGROUND in (part.strip().lower() for part in prefer.split(","))
    answer = services.anomalies.scan(
        scope, AnomalyRequest(body.model, scan, in_background), options_of(body, body.job_labels), key
    )
    if answer.status == 200:
        return _answer(answer.body, form)
    response = created(answer)
    if in_background:
        response.headers["Preference-Applied"] = BACKGROUND
    return response


@router.get("/anomalies/{scan_id}", response_model=ScanOut, responses=describe_forms(Form, ROWS))
def get_scan(scan_id: str, scope: ReadScope, services: ServicesDep, form: FormDep) -> Response:
    """Read a scan that was made by a job; as a table once it has succeeded, 409 `scan_unfinished` before that."""
    scan = services.anomalies.get(scope, scan_id)
    if form.table is not None and scan["series"] is None:
        detail = f"the scan's job is {scan['status']}, and has no rows; GET /jobs/{scan_id} says more"
        raise Conflict(ErrorCode.scan_unfinished, detail)
    return _answer(scan, form)


def _answer(scan: Any, form: Form) -> Response:
    if form.table is None:
        return ok(scan, headers=VARY)
    return Response(write_scans(scan["series"], form.table), headers=VARY, media_type=form.value)
