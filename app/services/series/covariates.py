"""Covariates of series: their kinds, and writing their values."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, NotFound
from app.formats.table import Column
from app.scope import Scope, storable
from app.storage.bulk import BulkValues, upsert_values
from app.storage.covariates import add_covariate, get_covariates
from app.storage.tables import Covariate, SeriesRow
from models.arrays import Ints

_TYPES = {"numeric": np.float64, "categorical": object}
"""of a column of values, by the covariate's kind"""


def require_covariates(session: Session, scope: Scope, names: Sequence[str]) -> list[Covariate]:
    """Return covariates that must exist, by their names with or without blanks around them. Raises NotFound."""
    stored = get_covariates(session, scope, [text for name in names if storable(name) for text in (name, name.strip())])
    rows = [stored.get(name) or stored.get(name.strip()) for name in names]
    for name, row in zip(names, rows, strict=True):
        if row is None:
            detail = f"there is no covariate {name[:60]!r}; GET /covariates lists them"
            raise NotFound(ErrorCode.covariate_not_found, detail)
    return [row for row in rows if row is not None]


def write_covariates(
    session: Session, scope: Scope, row: SeriesRow, stamps: Ints, columns: Mapping[str, Column], *, keep: bool = False
) -> None:
    """Write covariate columns, each as long as `stamps` (N,).

    Where a value is missing the stored one goes, or stays with `keep`. Texts lose the blanks around them, and one of
    blanks alone is missing. Raises Invalid where a column's kind is not the covariate's.
    """
    existing = get_covariates(session, scope, list(columns), lock=True) if columns else {}
    order = np.argsort(stamps)
    pk = np.full(len(stamps), row.pk)
    for name, values in sorted(columns.items()):
        covariate = existing.get(name) or _add(session, scope, name, values)
        if covariate is not None:
            _check_kind(name, covariate.kind, values)
            column = np.array([_clean(value) for value in values], _TYPES[covariate.kind])
            upsert_values(session, covariate, BulkValues(pk, stamps[order], column[order]), keep=keep)


def _add(session: Session, scope: Scope, name: str, values: Column) -> Covariate | None:
    """Make a covariate of the kind of its first value; None where all values are missing."""
    first = next((value for value in values if _clean(value) is not None), None)
    return None if first is None else add_covariate(session, scope, name, _kind_of(first))


def _clean(value: float | str | None) -> float | str | None:
    return (value.strip() or None) if isinstance(value, str) else value


def _kind_of(value: float | str) -> str:
    return "categorical" if isinstance(value, str) else "numeric"


def _check_kind(name: str, kind: str, values: Column) -> None:
    """Raise Invalid, which names the rows, where a column holds values of the other kind."""
    wrong = [i for i, value in enumerate(values) if value is not None and _kind_of(value) != kind]
    if not wrong:
        return
    row = wrong[0]
    seen = repr(values[row])[:60]
    wanted = "a number" if kind == "numeric" else "text"
    detail = (
        f"the covariate {name!r} is {kind}, and row {row} (counted from 0) is {seen}; send {wanted}, or null where a "
        "value is missing (GET /covariates shows the kinds)"
    )
    code = ErrorCode.covariate_kind_conflict
    raise Invalid(code, detail, errors=[FieldError(f"body.covariates.{name}.{i}", code, detail) for i in wrong[:100]])
