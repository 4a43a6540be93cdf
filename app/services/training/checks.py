"""Checks of the stored series that a training, or a backtest, is to use."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.errors import ErrorCode, FieldError, Invalid
from app.scope import Scope
from app.services.series.checks import is_of_frequency
from app.services.series.selection import Selector, require_selected
from app.storage import observations
from app.storage.covariates import get_covariates
from app.storage.tables import SeriesRow
from models.calendar.frequency import parse_frequency

LEAST_OBSERVED = 3
"""observed values that at least one of the series must have"""


def require_trainable(
    session: Session, scope: Scope, selector: Selector, covariates: Mapping[str, Sequence[str]], most_steps: int
) -> list[SeriesRow]:
    """Return the selected series. Raises NotFound, and Invalid where they cannot be trained on with these covariates.

    Args:
        covariates: names by role
        most_steps: limit of the steps of all series together
    """
    rows = require_selected(session, scope, selector)
    if find_frequency(rows) is None:
        freqs = sorted({row.freq for row in rows})
        detail = f"the series have the frequencies {', '.join(freqs)}; a model has only one: select series of one"
        raise Invalid(ErrorCode.frequency_mismatch, detail)
    total = sum(map(count_steps, rows))
    if total > most_steps:
        detail = f"the series span {total} steps from first to last value, and the limit is {most_steps}; select fewer"
        raise Invalid(ErrorCode.too_many_values, detail)
    _check_history(session, rows)
    _check_covariates(session, scope, covariates, rows)
    return rows


def find_frequency(rows: Sequence[SeriesRow], preferred: str | None = None) -> str | None:
    """Return the frequency that all series have, in its canonical spelling, or as `preferred` spells it; or None."""
    if preferred is not None and all(is_of_frequency(row, preferred) for row in rows):
        return preferred
    aliases = sorted({parse_frequency(row.freq).alias for row in rows})
    return next((alias for alias in aliases if all(is_of_frequency(row, alias) for row in rows)), None)


def count_steps(row: SeriesRow) -> int:
    """Return the approximate number of steps from a series' first to its last value, missing ones included."""
    if row.first_ts is None or row.last_ts is None:
        return 0
    return (row.last_ts - row.first_ts) // parse_frequency(row.freq).approximate_us + 1


def _check_history(session: Session, rows: Sequence[SeriesRow]) -> None:
    """Raise Invalid where none of the series has enough observed values to learn from.

    Only short series are counted: a series of 1000 rows is taken to have enough.
    """
    short = [row for row in rows if row.count < 1000 or row.last_ts is None]
    if len(short) < len(rows):
        return
    counts = observations.count_observed(session, short)
    if max(counts.values(), default=0) >= LEAST_OBSERVED:
        return
    errors = [
        FieldError("body.series", ErrorCode.not_enough_data, f"{row.id!r} has {counts[row.pk]} observed values")
        for row in short[:100]
    ]
    detail = (
        f"no series has {LEAST_OBSERVED} observed values; POST /series/{{id}}/observations adds some "
        "(a good model needs several seasons)"
    )
    raise Invalid(ErrorCode.not_enough_data, detail, errors=errors)


def _check_covariates(
    session: Session, scope: Scope, names_by_role: Mapping[str, Sequence[str]], rows: Sequence[SeriesRow]
) -> None:
    """Raise Invalid for covariates that the project does not know, and static ones that none of the series has."""
    temporal = [*names_by_role.get("known_future", ()), *names_by_role.get("past", ())]
    stored = set(get_covariates(session, scope, temporal)) if temporal else set()
    static = {name for row in rows for name, value in row.static.items() if value is not None}
    code = ErrorCode.covariate_not_found
    errors = []
    for role, names in names_by_role.items():
        for i, name in enumerate(names):
            if role == "static" and name not in static:
                problem = f"none of the series has the static covariate {name!r}"
            elif role != "static" and name not in stored:
                problem = f"the project has no covariate {name!r}"
            else:
                continue
            errors.append(FieldError(f"body.covariates.{role}.{i}", code, problem))
    if errors:
        first = errors[0].detail
        detail = f"{first}; POST /series/{{id}}/observations adds values, PUT /series/{{id}} sets static ones"
        raise Invalid(code, detail, errors=errors)
