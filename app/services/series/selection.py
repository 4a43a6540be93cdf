"""Selection of series: by their ids, by their labels, or all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

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
