"""/covariates: what is known of the columns beside the targets."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.deps import Cursor, Limit, ReadScope, ServicesDep, WriteScope
from app.api.http.responses import ok
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.base import PageOf
from app.api.schemas.covariates import CovariateIn, CovariateOut
from app.api.schemas.series import Name

router = APIRouter(prefix="/covariates", tags=["covariates"])

KnownName = Annotated[str, Path(description="slashes are welcome")]
NewName = Annotated[Name, Path(description="slashes are welcome; blanks around it are left out")]


@router.get("", response_model=PageOf[CovariateOut], responses=describe_list(CovariateOut))
def list_covariates(
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the project's covariates by name, with their kinds. The first values of a covariate fix its kind."""
    return answer_list(request, services.covariates.list(scope, cursor, limit), CovariateOut, form)


@router.get("/{name:path}", response_model=CovariateOut)
def get_covariate(name: KnownName, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a covariate's kind."""
    return ok(services.covariates.get(scope, name))


@router.put("/{name:path}", response_model=CovariateOut, responses={201: {"model": CovariateOut}})
def put_covariate(name: NewName, body: CovariateIn, scope: WriteScope, services: ServicesDep) -> Response:
    """Declare a covariate's kind before its values are imported: numbers may be categories, such as those of shops.

    `unique_id`, `ds` and `y` are columns of their own in tables, and no names of covariates. 409 `covariate_in_use`
    where it has values of the other kind.
    """
    new, view = services.covariates.put(scope, name, body.kind)
    return ok(view, status=201 if new else 200)


@router.delete("/{name:path}", status_code=204)
def delete_covariate(name: KnownName, scope: WriteScope, services: ServicesDep) -> Response:
    """Forget a covariate whose values are deleted, so that the next ones may be of another kind.

    409 `covariate_in_use` while it has values: `DELETE /series/{id}/observations?covariate={name}` deletes those of a
    series.
    """
    services.covariates.delete(scope, name)
    return Response(status_code=204)
