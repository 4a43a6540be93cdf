"""How many steps a network reads, and in which segments: from seasons, horizon and what the histories have room for."""

from collections.abc import Mapping, Sequence
from math import ceil, gcd
from typing import Any

from models.planning.data_size import DataSize

LONGEST_ETS_CONTEXT = 128
"""steps of a context with smoothing models of its own, whose maps grow with the square"""
LONG_SEASON = 12
"""steps from which on a season counts as long"""
LONGEST_SEGMENT = 96
"""steps"""
LEAST_RECURRENCE = 6
"""steps of the recurrence that a segment leaves"""
LONGEST_DEFAULT_CONTEXT = 1440
"""steps: a day of minutes, two months of hours"""


def choose_shape(data: DataSize, horizon: int, seasons: Sequence[int], overrides: Mapping[str, Any]) -> dict[str, int]:
    """Choose context length and segment together, because the one must be a multiple of the other."""
    if "context_length" in overrides:
        context = overrides["context_length"]
        aligned = gcd(context, seasons[0]) if seasons else context
        return {"context_length": context, "segment": overrides.get("segment", _divide(aligned, context))}
    context = _choose_context(data, horizon, seasons)
    segment = overrides.get("segment", _divide(seasons[0] if seasons else context, context))
    return {
        "context_length": ceil(context / segment) * segment if segment >= 1 else context,
        "segment": segment,
    }


def _choose_context(data: DataSize, horizon: int, seasons: Sequence[int]) -> int:
    """Choose a context of whole seasons that the histories have room for."""
    # a season longer than the history or the default context has no influence
    usable = [m for m in seasons if m <= min(data.typical, LONGEST_DEFAULT_CONTEXT)]
    wanted = min(_wanted_context(horizon, usable, data.many), LONGEST_DEFAULT_CONTEXT)
    # smoothing models read all that there is; where they are none the windows of a few series must differ
    whole = data.many or wanted <= LONGEST_ETS_CONTEXT
    free = data.typical - horizon if whole else (data.typical - 2 * horizon) // 3
    room = min(wanted, max(free, 4))
    if not usable:
        return max(room, 4)
    season = next((m for m in reversed(usable) if 2 * m <= room), usable[0])
    least = min(2, LONGEST_DEFAULT_CONTEXT // season)
    return max(room // season, least) * season


def _wanted_context(horizon: int, seasons: Sequence[int], many: bool) -> int:
    """Return the steps of a context that seasons and horizon suggest: some seasons, and some horizons."""
    if not seasons:
        return max(12 if many else 60, min(3 * horizon, 96))
    short, long = seasons[0], seasons[-1]
    horizons = 7 if short >= 24 else 2
    long_seasons = 4 if many else 5
    short_seasons = 8 if many else 12
    number = short_seasons if short < LONG_SEASON else long_seasons
    return max(2 * long, number * short, horizons * ceil(horizon / short) * short)


def _divide(season: int, context: int) -> int:
    """Return the largest common divisor of season and context that is a usable segment."""
    highest = max(1, min(LONGEST_SEGMENT, context // LEAST_RECURRENCE))
    return max(d for d in range(1, highest + 1) if season % d == 0 and context % d == 0)
