"""/observations: rows of many series in one call."""

from fastapi import APIRouter, Response

from app.api.deps import IdempotencyDep, ServicesDep, WriteScope
from app.api.http.responses import created
from app.api.schemas.series import BulkObservationsIn, BulkUpserted
from app.services.series.checks import Upload

router = APIRouter(tags=["series"])


@router.post("/observations", response_model=BulkUpserted)
def upsert_many_observations(
    body: BulkObservationsIn, scope: WriteScope, services: ServicesDep, key: IdempotencyDep
) -> Response:
    """Write rows of many series in one transaction, all or none; what holds for one series holds for each of them.

    A refusal names every series that does not exist, and every bad row of the others.
    """
    uploads = {i: Upload(columns.ds, columns.y, columns.covariates) for i, columns in body.series.items()}
    return created(services.observations.upsert_many(scope, uploads, key))
