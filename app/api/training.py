"""/train."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import IdempotencyDep, ServicesDep, TrainScope
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.schemas.jobs import JobOut
from app.api.schemas.previews import TrainPreview
from app.api.schemas.training import SeriesSelector, TrainIn
from app.services.registry.builtin import BUILTIN, NUMBER
from app.services.registry.lookup import parse_reference
from app.services.series.selection import Selector
from app.services.training.request import TrainingRequest

router = APIRouter(tags=["training"])


DryRun = Annotated[bool, Query(description="check and estimate alone: nothing is queued")]


@router.post("/train", status_code=202, response_model=JobOut, responses=ACCEPTED | {200: {"model": TrainPreview}})
def train(
    body: TrainIn, scope: TrainScope, services: ServicesDep, key: IdempotencyDep, dry_run: DryRun = False
) -> Response:
    """Train a model in the background; `Location` names the job to watch.

    With `dry_run` nothing is queued: what would be refused is refused in the same way, and the answer says what the
    training would take and what may surprise it in its series.
    """
    if dry_run:
        return ok(services.training.preview(scope, _request(body)))
    return created(services.training.create(scope, _request(body), options_of(body, body.labels), key))


def selector_of(series: list[str] | SeriesSelector | str) -> Selector:
    """Return what a request selects."""
    if isinstance(series, list):
        return Selector(tuple(dict.fromkeys(series)))
    if not isinstance(series, SeriesSelector):
        return Selector()
    return Selector(tuple(dict.fromkeys(series.ids)) if series.ids is not None else None, series.labels)


def _request(body: TrainIn) -> TrainingRequest:
    return TrainingRequest(
        model=body.model,
        series=selector_of(body.series),
        horizon=body.horizon,
        quantiles=tuple(body.quantiles) if body.quantiles is not None else None,
        network=body.network.model_dump(exclude_none=True),
        training=body.training.model_dump(exclude_none=True),
        promote=body.promote,
        covariates=body.covariates.model_dump(),
        country=body.country,
        bounds=(body.bounds.min, body.bounds.max),
        warm_start=_version(body.warm_start) if body.warm_start is not None else None,
        search=body.search.model_dump() if body.search is not None else None,
        cleaning=body.cleaning.model_dump() if body.cleaning is not None else None,
    )


def _version(text: str) -> tuple[str, int]:
    name, pin = parse_reference(text)
    assert pin is not None or name == BUILTIN, "the schema asks for name@version"
    return name, pin.version if pin is not None else NUMBER
