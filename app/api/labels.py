"""/labels: which labels the series have."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import Cursor, Limit, SeriesReadScope, ServicesDep
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf, Text
from app.api.schemas.series import LabelOut

router = APIRouter(tags=["series"])

Mentioned = Annotated[
    Text, Query(max_length=200, description="text in the label as `key:value`, in small or capital letters")
]


@router.get("/labels", response_model=PageOf[LabelOut], responses=describe_list(LabelOut))
def list_labels(
    request: Request,
    scope: SeriesReadScope,
    services: ServicesDep,
    form: FormDep,
    q: Mentioned = "",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the labels that series have, by key and value, with the number of series."""
    return answer_list(request, services.series.list_labels(scope, q, cursor, limit), LabelOut, form)
