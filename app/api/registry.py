"""/models and their versions: reading, promoting, rolling back, refreshing, scheduling, judging, deleting."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.deps import Cursor, IdempotencyDep, Limit, ReadScope, ServicesDep, TrainScope
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import Encodable, PageOf, QueryTime
from app.api.schemas.jobs import JobOptionsIn, JobOut
from app.api.schemas.registry import ArchivedOut, ChampionIn, ModelOut, ScheduleIn, ScheduleOut, SkillOut, VersionOut
from app.etags import unchanged
from app.services.evaluation.skill import ArchiveSelection
from app.services.schedules.service import ScheduleRequest

router = APIRouter(prefix="/models", tags=["models"])

Moment = QueryTime | None
TrainedOn = Annotated[
    Encodable | None,
    Query(
        max_length=1000, description="id: models whose champion, or newest version without one, was trained on a series"
    ),
]
Revision = Annotated[int | None, Query(ge=0, lt=2**31, description="the one that serves where it is left out")]
Alias = Annotated[Encodable | None, Query(max_length=40, description="frequency, such as h or 15min")]


@router.get("", response_model=PageOf[ModelOut], responses=describe_list(ModelOut))
def list_models(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    series: TrainedOn = None,
    freq: Alias = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List models by name."""
    return answer_list(request, services.models.list(scope, series, freq, cursor, limit), ModelOut, form)


@router.get("/{name}", response_model=ModelOut)
def get_model(name: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a model with the numbers of its versions and its champion."""
    return ok(services.models.get(scope, name))


@router.get("/{name}/versions", response_model=PageOf[VersionOut], responses=describe_list(VersionOut))
def list_versions(
    name: str,
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List a model's versions, newest first."""
    return answer_list(request, services.models.list_versions(scope, name, cursor, limit), VersionOut, form)


@router.get("/{name}/versions/{number}", response_model=VersionOut)
def get_version(name: str, number: int, scope: ReadScope, services: ServicesDep) -> Response:
    """Read one version: configuration, metrics beside season-naive, loss curve, data span."""
    return ok(services.models.get_version(scope, name, number))


@router.get(
    "/{name}/versions/{number}/bundle",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {"example": "PK…"}}, "description": "graph, manifest, golden vectors"},
        304: {"description": "the caller has it already"},
    },
)
def get_bundle(
    name: str,
    number: int,
    scope: ReadScope,
    services: ServicesDep,
    revision: Revision = None,
    if_none_match: Annotated[str | None, Header(description="`ETag` of a bundle that the caller has")] = None,
) -> Response:
    """Download a version to use it without Gatecast, with ONNX Runtime and NumPy alone: a zip of its files, each
    checked against the digest that it was published with."""
    bundle = services.bundles.get(scope, name, number, revision)
    headers = {"ETag": bundle.tag, "Cache-Control": "private, no-cache"}
    if unchanged(if_none_match, bundle.tag):
        return Response(status_code=304, headers=headers)
    size, blocks = bundle.pack()
    headers |= {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{bundle.filename}"'}
    return StreamingResponse(blocks, media_type="application/zip", headers=headers)


@router.put("/{name}/champion", response_model=ModelOut)
def put_champion(name: str, body: ChampionIn, scope: TrainScope, services: ServicesDep) -> Response:
    """Promote a version, or roll back to an earlier one, or to one of its revisions; forecasts that begin from now on
    are its."""
    return ok(services.models.promote(scope, name, body.version, body.revision))


@router.post("/{name}/refresh", status_code=202, response_model=JobOut, responses=ACCEPTED)
def refresh(
    name: str, scope: TrainScope, services: ServicesDep, key: IdempotencyDep, body: JobOptionsIn | None = None
) -> Response:
    """Take new observations into those parts of the champion that need no training. In seconds a job makes a revision
    of the version, which serves unless it did worse on the newest values than the one before. 409 `no_champion` where
    no version is live."""
    options = body or JobOptionsIn()
    return created(services.refreshes.create(scope, name, options_of(options, options.labels), key))


@router.put("/{name}/schedule", response_model=ScheduleOut)
def put_schedule(name: str, body: ScheduleIn, scope: TrainScope, services: ServicesDep) -> Response:
    """Train the model again, refresh its champion and archive its forecasts by the clock. A retraining goes live only
    if it beats the champion and season-naive on the same recent windows."""
    request = ScheduleRequest(body.train, body.forecast, body.refresh, body.timezone, body.train_on_drift)
    return ok(services.schedules.put(scope, name, request))


@router.delete("/{name}/schedule", status_code=204)
def delete_schedule(name: str, scope: TrainScope, services: ServicesDep) -> Response:
    """End a model's schedule; its archive stays."""
    services.schedules.delete(scope, name)
    return Response(status_code=204)


@router.get("/{name}/archive", response_model=PageOf[ArchivedOut], responses=describe_list(ArchivedOut))
def get_archive(
    name: str,
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    series: Annotated[list[str] | None, Query(description="repeat it for more; all where left out")] = None,
    as_of: Annotated[Moment, Query(description="what was known at that time, such as 2024-03-01T12:00:00Z")] = None,
    every: Annotated[bool, Query(description="all of them, the newest origins first")] = False,
    start: Annotated[Moment, Query(description="with `every`: first origin")] = None,
    end: Annotated[Moment, Query(description="with `every`: origins are before it")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Read scheduled forecasts as they stood at a moment: the newest of each series, or every one."""
    selection = ArchiveSelection(series or [], as_of, every, start, end)
    page = services.skill.list_archived(scope, name, selection, cursor, limit)
    return answer_list(request, page, ArchivedOut, form)


@router.get("/{name}/skill", response_model=SkillOut)
def get_skill(
    name: str,
    scope: ReadScope,
    services: ServicesDep,
    start: Annotated[Moment, Query(description="first origin")] = None,
    end: Annotated[Moment, Query(description="origins are before it")] = None,
    version: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    revision: Annotated[int | None, Query(ge=0, lt=2**31, description="of versions: 0 as trained")] = None,
) -> Response:
    """Read how archived forecasts have come true: error, pinball and coverage by horizon and over time, and whether
    the champion drifts."""
    return ok(services.skill.get_skill(scope, name, start, end, version, revision))


@router.delete("/{name}/versions/{number}", status_code=204)
def delete_version(name: str, number: int, scope: TrainScope, services: ServicesDep) -> Response:
    """Delete a version that is not the champion, with its files."""
    services.models.delete_version(scope, name, number)
    return Response(status_code=204)


@router.delete("/{name}", status_code=204)
def delete_model(name: str, scope: TrainScope, services: ServicesDep) -> Response:
    """Delete a model with all of its versions. Its jobs are kept; one that is queued or running has to end first."""
    services.models.delete(scope, name)
    return Response(status_code=204)
