"""Covariates of series: their kinds, and writing their values."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.formats.table import Column
from app.scope import Scope
from app.storage import observations
from app.storage.tables import Covariate, SeriesRow
from models.arrays import Ints


def infer_kind(values: Column) -> str | None:
    """Return the kind of a covariate column: `numeric`, `categorical`, or None where all values are missing.

    Raises TypeError for a mixture.
    """
    kinds = {"categorical" if isinstance(v, str) else "numeric" for v in values if v is not None}
    if len(kinds) > 1:
        raise TypeError("numbers and text in one column")
    return kinds.pop() if kinds else None


def write_covariates(
    session: Session, scope: Scope, row: SeriesRow, stamps: Ints, columns: Mapping[str, Column]
) -> None:
    """Upsert covariate columns, each as long as `stamps` (N,).

    Raises Invalid where a column's kind is not the covariate's.
    """
    existing = observations.get_covariates(session, scope, list(columns))
    for name, values in sorted(columns.items()):
        covariate = _get_or_create_covariate(session, scope, existing.get(name), name, values)
        if covariate is not None:
            observations.upsert_covariate(session, row, covariate, stamps, values)


def _get_or_create_covariate(
    session: Session, scope: Scope, covariate: Covariate | None, name: str, values: Column
) -> Covariate | None:
    try:
        kind = infer_kind(values)
    except TypeError as e:
        raise _kind_conflict(name, f"the covariate {name!r} mixes numbers and text; send one or the other") from e
    if covariate is None and kind is None:
        return None
    if covariate is None and kind is not None:
        covariate = observations.add_covariate(session, scope, name, kind)
    assert covariate is not None
    if kind not in (None, covariate.kind):
        raise _kind_conflict(
            name, f"the covariate {name!r} is {covariate.kind} in this project, and {kind} values were sent"
        )
    return covariate


def _kind_conflict(name: str, detail: str) -> Invalid:
    code = ErrorCode.covariate_kind_conflict
    return Invalid(code, detail, errors=[FieldError(f"covariates.{name}", code, detail)])
