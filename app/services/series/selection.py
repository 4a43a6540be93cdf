"""Selection of series: by their ids, by their labels, or all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, NotFound
from app.scope import Scope
from app.services.series.ids import is_series_id
from app.storage import series
from app.storage.tables import SeriesRow


@dataclass(frozen=True)
class Selector:
    """Ids of series, or labels that they must all have; every series where neither is set."""

    ids: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None

    def document(self) -> Any:
        """Return plain JSON, which `parse_selector` reads."""
        if self.ids is not None:
            return {"ids": list(self.ids)}
        return {"labels": dict(self.labels)} if self.labels else "all"


def select_series(session: Session, scope: Scope, selector: Selector) -> list[SeriesRow]:
    """Return the series that a selector names now, in the order of their ids; unknown ids are left out."""
    ids: Sequence[str]
    if selector.ids is not None:
        ids = [i for i in selector.ids if is_series_id(i)]
    else:
        ids = series.select_ids(session, scope, list((selector.labels or {}).items()))
    rows = series.get_many(session, scope, ids)
    return [rows[i] for i in sorted(rows)]


def require_selected(session: Session, scope: Scope, selector: Selector) -> list[SeriesRow]:
    """Return the series that a selector names now. Raises NotFound where one of its ids, or any series, is missing."""
    rows = select_series(session, scope, selector)
    _check_present(selector, rows)
    return rows


def _check_present(selector: Selector, rows: Sequence[SeriesRow]) -> None:
    present = {row.id for row in rows}
    missing = [i for i in selector.ids or () if i not in present]
    if missing:
        code = ErrorCode.series_not_found
        errors = [FieldError("body.series.ids", code, f"there is no series {i[:200]!r}") for i in missing[:100]]
        detail = f"{len(missing)} of the series do not exist, for example {missing[0][:200]!r}; POST /series makes one"
        raise NotFound(code, detail, errors=errors)
    if not rows:
        detail = "no series matches; GET /series lists them with their labels"
        raise NotFound(ErrorCode.series_not_found, detail)
