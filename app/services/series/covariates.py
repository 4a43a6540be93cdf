"""Covariates of series: their kinds, and writing their values."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid, NotFound, invalid
from app.formats.header import explain_name
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


def check_name(name: str, field: str) -> None:
    """Raise Invalid, for a field of the request, where a covariate could not be exported and imported again."""
    problem = explain_name(name)
    if problem is not None:
        raise invalid(field, ErrorCode.invalid_input, f"a covariate cannot be named {name[:60]!r}: {problem}")


class CovariateUpload(NamedTuple):
    """Columns of covariates that a client sends for one locked series."""

    row: SeriesRow
    stamps: Ints
    """(N,) microseconds UTC, each once, in any order"""
    columns: Mapping[str, Column]
    """each (N,)"""
    where: str = "body"
    """its path in the request"""


def write_covariates(session: Session, scope: Scope, uploads: Sequence[CovariateUpload], *, keep: bool = False) -> None:
    """Write columns of covariates of locked series.

    Where a value is missing the stored one goes, or stays with `keep`. Texts lose the blanks around them, and one of
    blanks alone is missing. Raises Invalid where a column's kind is not the covariate's.
    """
    names = sorted({name for upload in uploads for name in upload.columns})
    existing = get_covariates(session, scope, names, lock=True) if names else {}
    for name in names:
        mine = [upload for upload in uploads if name in upload.columns]
        covariate = existing.get(name) or _add(session, scope, name, mine)
        if covariate is not None:
            _check_kind(name, covariate.kind, mine)
            upsert_values(session, covariate, _gather(name, covariate.kind, mine), keep=keep)


def _gather(name: str, kind: str, uploads: Sequence[CovariateUpload]) -> BulkValues:
    """Return a covariate's values of all series, in the order in which they are written."""
    pk = np.concatenate([np.full(len(upload.stamps), upload.row.pk) for upload in uploads])
    ts = np.concatenate([upload.stamps for upload in uploads])
    values = [_clean(value) for upload in uploads for value in upload.columns[name]]
    order = np.lexsort((ts, pk))
    return BulkValues(pk[order], ts[order], np.array(values, _TYPES[kind])[order])


def _add(session: Session, scope: Scope, name: str, uploads: Sequence[CovariateUpload]) -> Covariate | None:
    """Make a covariate of the kind of its first value; None where all values are missing."""
    values = (value for upload in uploads for value in upload.columns[name])
    first = next((value for value in values if _clean(value) is not None), None)
    return None if first is None else add_covariate(session, scope, name, _kind_of(first))


def _clean(value: float | str | None) -> float | str | None:
    return (value.strip() or None) if isinstance(value, str) else value


def _kind_of(value: float | str) -> str:
    return "categorical" if isinstance(value, str) else "numeric"


def _check_kind(name: str, kind: str, uploads: Sequence[CovariateUpload]) -> None:
    """Raise Invalid, which names the rows, where a column holds values of the other kind."""
    wrong = [
        (upload, i)
        for upload in uploads
        for i, value in enumerate(upload.columns[name])
        if value is not None and _kind_of(value) != kind
    ]
    if not wrong:
        return
    upload, row = wrong[0]
    seen = repr(upload.columns[name][row])[:60]
    wanted = "a number" if kind == "numeric" else "text"
    detail = (
        f"the covariate {name!r} is {kind}, and row {row} (counted from 0) is {seen}; send {wanted}, or null where a "
        "value is missing (GET /covariates shows the kinds)"
    )
    code = ErrorCode.covariate_kind_conflict
    fields = [f"{upload.where}.covariates.{name}.{i}" for upload, i in wrong[:100]]
    raise Invalid(code, detail, errors=[FieldError(field, code, detail) for field in fields])
