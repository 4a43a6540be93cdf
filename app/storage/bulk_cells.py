"""Values of many series that go into one column of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

BOOKKEEPING = ("count", "first_ts", "last_ts", "anchor", "version")
"""columns of a series that a write changes"""
NEVER = -(2**63)
"""a stamp that no row has"""


class Bookkept(Protocol):
    """A series whose observations are written, as far as that changes it."""

    pk: int
    count: int
    first_ts: int | None
    last_ts: int | None
    anchor: int | None
    version: int


@dataclass(frozen=True)
class Cells:
    """Values of the observations, or of one covariate; ascending by series and time, one a time."""

    pk: Ints
    """(N,) primary keys of series"""
    ts: Ints
    """(N,) microseconds UTC"""
    values: NDArray[Any]
    """(N,) float64 with NaN where missing, or text"""
    column: str
    """`y`, or `value` or `level` of a covariate"""
    covariate_pk: int | None = None

    def select(self, rows: slice | NDArray[np.bool_]) -> "Cells":
        """Return some of the rows."""
        return replace(self, pk=self.pk[rows], ts=self.ts[rows], values=self.values[rows])

    @property
    def table(self) -> str:
        """The table's name."""
        return "observations" if self.covariate_pk is None else "covariate_values"

    @property
    def columns(self) -> str:
        """The columns of a row, the covariate's last."""
        return f"series_pk, ts, {self.column}" + ("" if self.covariate_pk is None else ", covariate_pk")

    @property
    def arrays(self) -> Sequence[NDArray[Any]]:
        """What goes into `columns`, each (N,)."""
        constant = [] if self.covariate_pk is None else [np.full(len(self.pk), self.covariate_pk)]
        return [self.pk, self.ts, self.values, *constant]

    @property
    def key(self) -> str:
        """The columns of the primary key."""
        return "series_pk, ts" if self.covariate_pk is None else "series_pk, covariate_pk, ts"

    def replacement(self, *, keep: bool) -> str:
        """Return what an INSERT does with a row that is there; with `keep` a missing value leaves the stored one."""
        value = f"excluded.{self.column}"
        kept = f"coalesce({value}, {self.table}.{self.column})" if keep else value
        return f"ON CONFLICT ({self.key}) DO UPDATE SET {self.column} = {kept}"


def find_spans(pk: Ints, ts: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the distinct series (S,) of ascending cells (N,), and the first and the last stamp of each."""
    series, starts, counts = np.unique(pk, return_index=True, return_counts=True)
    return series, ts[starts], ts[starts + counts - 1]
