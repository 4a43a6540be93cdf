"""The header of a long table: which column is which, and what seems to be meant where it does not say so."""

from dataclasses import dataclass

from app.errors import ErrorCode, Invalid
from app.formats.table import KEYS, TARGET

LONGEST_NAME = 200
SHOWN = 10
"""columns that a message lists"""
_WANTED = (*KEYS, TARGET)
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MEANT = {
    "unique_id": ("id", "item_id", "series_id", "series", "item", "ts_id", "timeseries_id", "series_name", "key"),
    "ds": ("date", "datetime", "timestamp", "time", "ts", "date_time", "day", "month", "period", "datum"),
    "y": ("value", "values", "target", "target_value", "val", "observation", "actual", "actuals"),
}
"""column → names that others give it, in lower case"""


@dataclass(frozen=True)
class ColumnPlaces:
    """Where the columns of a table stand, from 0."""

    unique_id: int
    ds: int
    y: int | None
    """None in a table of covariates alone"""
    covariates: dict[str, int]


def locate_columns(header: list[str]) -> ColumnPlaces:
    """Return where a table's columns are. Raises Invalid, which says what is missing and what seems to be meant."""
    names = [name.strip() for name in header]
    problem = _find_problem(names)
    if problem is not None:
        raise Invalid(ErrorCode.csv_malformed, f"the header must name the columns unique_id, ds and y; {problem}")
    places = {name: i for i, name in enumerate(names)}
    covariates = {name: i for name, i in places.items() if name not in _WANTED}
    return ColumnPlaces(places["unique_id"], places["ds"], places.get(TARGET), covariates)


def _find_problem(names: list[str]) -> str | None:
    """Return what keeps names from being those of a table, or None."""
    if len(names) == 1:
        for delimiter, called in _DELIMITERS.items():
            if delimiter in names[0]:
                return f"it is one column, {names[0][:100]!r}: separate the cells by commas instead of {called}"
    unnamed = _find_unnamed(names)
    if unnamed is not None:
        return unnamed
    for i, name in enumerate(names):
        if len(name) > LONGEST_NAME or not name.isprintable():
            return f"the name of column {i + 1} has more than {LONGEST_NAME} characters, or unprintable ones"
        if name in names[:i]:
            return f"the name {name!r} is repeated, each column needs its own"
    return _find_missing(names)


def _find_unnamed(names: list[str]) -> str | None:
    if len(names) < 2:
        return None
    if names[0] in ("", "Unnamed: 0"):
        return "there is an unnamed first column, as DataFrame.to_csv writes its index; send index=False"
    if "" in names[:-1]:
        return f"the name of column {names.index('') + 1} is empty"
    return "the name of the last column is empty: the header ends in a comma" if names[-1] == "" else None


def _find_missing(names: list[str]) -> str | None:
    """Return which columns are missing, and which others seem to be meant, or None.

    A table without y has covariates alone, unless one of them seems to be the target.
    """
    missing = [name for name in _WANTED if name not in names]
    others = [name for name in names if name not in _WANTED]
    guesses = {name: guess for name in missing if (guess := _guess(name, others)) is not None}
    has_covariates_alone = missing == [TARGET] and others and TARGET not in guesses
    if not missing or has_covariates_alone:
        return None
    shown = ", ".join(repr(name[:40]) for name in names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
    meant = [f"rename {guess!r} to {name}" for name, guess in guesses.items()]
    if "unique_id" in missing and "unique_id" not in guesses:
        meant.append("add a column unique_id with the id of each row's series")
    return "; ".join([f"missing: {', '.join(missing)}; it names {shown}", *meant])


def _guess(name: str, others: list[str]) -> str | None:
    """Return the column that seems to be meant by a wanted name, or None."""
    known = (name, name.replace("_", ""), *_MEANT[name])
    lowered = {other.lower().replace(" ", "_"): other for other in reversed(others)}
    return next((lowered[alias] for alias in known if alias in lowered), None)
