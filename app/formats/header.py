"""The names of a table's columns: which column is which, and what seems to be meant where they do not say so."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.errors import ErrorCode, Invalid
from app.formats.table import KEYS, TARGET, Guess, TableOptions

LONGEST_NAME = 200
MOST_COVARIATES = 1000
"""of one table: each is read, checked and written by itself"""
SHOWN = 10
"""columns that a message lists"""
_WANTED = (*KEYS, TARGET)
_CSV_INDEX = ("", "Unnamed: 0")
_ARROW_INDEX = "__index_level_0__"
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


@dataclass(frozen=True)
class WidePlaces:
    """Where the columns of a wide table stand, from 0."""

    ds: int
    series: dict[str, int]
    """id → position"""


def place_columns(
    names: Sequence[str], options: TableOptions, code: ErrorCode
) -> tuple[ColumnPlaces | WidePlaces, list[Guess]]:
    """Return where a table's columns are, by its layout, and what was found out about them.

    Raises Invalid of `code`, which says what is missing and which parameter settles it.
    """
    guesses: list[Guess] = []
    places = _rename(names, options.columns, code)
    index = _find_index(names, places)
    if index is not None:
        del places[index]
        guesses.append(Guess("columns", f"{names[index]}:", "an index, as pandas writes it, is left out"))
    problem = _find_unusable(places)
    if problem is not None:
        raise Invalid(code, f"each column needs a name: {problem}")
    found = {name: i for i, name in places.items()}
    layout = options.layout or ("wide" if _is_wide(list(found)) else "long")
    if layout == "long":
        problem = _find_missing(list(found))
        if problem is not None:
            raise Invalid(code, f"a table has columns named unique_id, ds and y; {problem}")
        covariates = {name: i for name, i in found.items() if name not in _WANTED}
        if _ARROW_INDEX in covariates:
            raise Invalid(code, f"columns= gives the name {_ARROW_INDEX!r} to a column; {explain_name(_ARROW_INDEX)}")
        if len(covariates) > MOST_COVARIATES:
            detail = f"the table has {len(covariates)} covariates, the limit is {MOST_COVARIATES}"
            raise Invalid(code, f"{detail}; send them in several tables, or leave some out with columns=NAME:")
        return ColumnPlaces(found["unique_id"], found["ds"], found.get(TARGET), covariates), guesses
    if options.layout is None:
        detail = "there is ds, and neither unique_id nor y: each other column is a series, of the column's name"
        guesses.append(Guess("layout", "wide", detail))
    return _place_series(found, code), guesses


def explain_name(name: str) -> str | None:
    """Return why a covariate of a name would not read back from a table, and what to send instead; None if it does."""
    if name in _WANTED:
        reason = f"{name} is a column of its own in tables"
    elif name == _ARROW_INDEX:
        reason = "tables have pandas' index under this name, and it is not read"
    elif not name.isprintable():
        return "the names of columns have printable characters alone; send it under a name without the others"
    else:
        return None
    return f"{reason}; send it under another name, such as {name.strip('_') + '_2'!r}"


def _rename(names: Sequence[str], columns: Mapping[str, str], code: ErrorCode) -> dict[int, str]:
    """Return {position: name} by the parameter `columns`, without those that it leaves out. Raises Invalid."""
    counts = Counter(names)
    for name in columns:
        if counts[name] != 1:
            seen = "stands there more than once" if counts[name] else "is not in the table"
            raise Invalid(code, f"columns={name}:{columns[name]} names a column that {seen}; it has {_show(names)}")
    renamed = {i: columns.get(name, name) for i, name in enumerate(names)}
    given = Counter(renamed.values())
    for source, name in columns.items():
        if name and given[name] > 1:
            detail = f"columns={source}:{name} gives the name {name!r} to two columns"
            if name in names and name not in columns:
                detail += f"; leave the other one out with columns={source}:{name},{name}:"
            raise Invalid(code, detail)
    return {i: name for i, name in renamed.items() if name or names[i] not in columns}


def _find_index(names: Sequence[str], places: Mapping[int, str]) -> int | None:
    """Return the position of an index that pandas wrote into the table, or None.

    Where no other column is named ds it may hold the timestamps.
    """
    if "ds" not in places.values() or len(places) < 2:
        return None
    kept = [i for i, name in places.items() if name == names[i]]  # what nobody gave another name
    return next((i for i in kept if names[i] == _ARROW_INDEX or (i == 0 and names[i] in _CSV_INDEX)), None)


def _is_wide(names: list[str]) -> bool:
    """Say whether a table without a word about it is wide: beside ds nothing that a long table has."""
    others = [name for name in names if name not in _WANTED]
    is_long = "unique_id" in names or TARGET in names or "ds" not in names
    return not is_long and bool(others) and not any(_guess(name, others) for name in ("unique_id", TARGET))


def _place_series(found: dict[str, int], code: ErrorCode) -> WidePlaces:
    series = {name: i for name, i in found.items() if name != "ds"}
    if "ds" not in found:
        meant = _guess("ds", list(series))
        hint = f"send columns={meant}:ds" if meant else "name one of them with columns=NAME:ds"
        raise Invalid(code, f"a wide table has a column ds beside those of its series; it names {_show(found)}; {hint}")
    if "unique_id" in series:
        detail = "this one has unique_id, as long tables have; send layout=long, or leave layout= out"
        raise Invalid(code, f"a wide table has a column a series, and {detail}")
    if not series:
        raise Invalid(code, "a wide table has a column a series beside ds, and this one has none")
    return WidePlaces(found["ds"], series)


def _find_unusable(places: Mapping[int, str]) -> str | None:
    """Return what keeps {position: name} from being names of columns, or None."""
    unnamed = _find_unnamed(places)
    if unnamed is not None:
        return unnamed
    seen: set[str] = set()
    for i, name in places.items():
        if len(name) > LONGEST_NAME or not name.isprintable():
            return f"the name of column {i + 1} has more than {LONGEST_NAME} characters, or unprintable ones"
        if name in seen:
            return f"the name {name!r} is repeated, each column needs its own"
        seen.add(name)
    return None


def _find_unnamed(places: Mapping[int, str]) -> str | None:
    if len(places) < 2:
        return None
    first = places.get(0)
    if first in _CSV_INDEX:
        return (
            "there is an unnamed first column, as DataFrame.to_csv writes its index; send index=False, "
            f"or columns={first}:ds where it holds the timestamps"
        )
    unnamed = next((i for i, name in places.items() if name == ""), None)
    if unnamed is None:
        return None
    if unnamed == max(places):
        return "the name of the last column is empty: the header ends in a comma"
    return f"the name of column {unnamed + 1} is empty"


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
    meant = [f"rename {guess!r} to {name}" for name, guess in guesses.items()]
    if guesses:
        meant[-1] += f", or send columns={','.join(f'{guess}:{name}' for name, guess in guesses.items())}"
    if "unique_id" in missing and "unique_id" not in guesses:
        wide = "layout=wide" if "ds" in names else "layout=wide and columns=NAME:ds"
        meant.append("add a column unique_id with the id of each row's series")
        meant.append(f"of a table with a column a series send {wide}")
    return "; ".join([f"missing: {', '.join(missing)}; it names {_show(names)}", *meant])


def _show(names: Iterable[str]) -> str:
    """Return the first names as a message lists them."""
    listed = list(names)
    return ", ".join(repr(name[:40]) for name in listed[:SHOWN]) + (" …" if len(listed) > SHOWN else "")


def _guess(name: str, others: list[str]) -> str | None:
    """Return the column that seems to be meant by a wanted name, or None."""
    known = (name, name.replace("_", ""), *_MEANT[name])
    lowered = {other.lower().replace(" ", "_"): other for other in reversed(others)}
    return next((lowered[alias] for alias in known if alias in lowered), None)
