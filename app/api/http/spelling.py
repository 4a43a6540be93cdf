"""Names that a client may have meant: of query parameters, fields and paths that this service does not know."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

CLOSE = 0.6
"""least likeness, from 0 to 1, of a name that is offered: difflib's own choice"""
LONGEST = 100
"""characters of a client's name that are compared and shown"""
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "after": ("start", "cursor"),
    "at": ("origin", "as_of"),
    "before": ("end",),
    "begin": ("start",),
    "country_code": ("country",),
    "covariate": ("covariates",),
    "date": ("ds", "as_of"),
    "dryrun": ("dry_run",),
    "exog": ("future", "covariates"),
    "features": ("covariates",),
    "fh": ("horizon",),
    "frequency": ("freq",),
    "from": ("start",),
    "h": ("horizon",),
    "id": ("series", "ids"),
    "ids": ("series",),
    "interval": ("freq",),
    "labels": ("label",),
    "level": ("quantiles",),
    "levels": ("quantiles",),
    "lookback": ("context_length",),
    "model_name": ("model",),
    "n": ("limit",),
    "name": ("model", "id", "prefix"),
    "next": ("cursor",),
    "next_cursor": ("cursor",),
    "offset": ("cursor",),
    "page": ("cursor",),
    "page_size": ("limit",),
    "per_page": ("limit",),
    "q": ("quantiles", "prefix"),
    "query": ("prefix",),
    "search": ("prefix",),
    "selector": ("label",),
    "series_id": ("series", "id"),
    "since": ("start", "as_of"),
    "size": ("limit",),
    "state": ("status",),
    "steps": ("horizon",),
    "stop": ("end",),
    "tag": ("label",),
    "tags": ("labels", "label"),
    "time": ("ds", "as_of"),
    "timestamp": ("ds",),
    "timestamps": ("ds",),
    "to": ("end",),
    "type": ("kind",),
    "tz": ("timezone",),
    "unique_id": ("series", "id"),
    "until": ("end",),
    "value": ("y",),
    "values": ("y",),
    "windows": ("n_windows",),
}
"""what other services call our names; each is offered only where the call has the name"""


def find_nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was probably meant; None where none is like it."""
    plain = name[:LONGEST].lower().replace("-", "_")
    if plain in known:
        return plain
    for meant in SYNONYMS.get(plain, ()):
        if meant in known:
            return meant
    close = get_close_matches(plain, known, n=1, cutoff=CLOSE)
    return close[0] if close else None


def join_names(names: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *first, end = names
    return f"{', '.join(first)} and {end}" if first else end


def advise(name: str, known: Collection[str]) -> str:
    """Return what to say after `there is no such name`: the nearest one, or all that are known."""
    nearest = find_nearest(name, known)
    if nearest is not None:
        return f"did you mean {nearest!r}?"
    return f"known are {join_names(known)}" if known else "none is known here"
