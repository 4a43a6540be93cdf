"""Another frequency or timezone for a series that has rows: where all of them lie on the new grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, FieldError
from app.services.series.causes import find_cause
from app.services.series.checks import is_of_frequency
from app.storage import fed_steps, observations
from app.storage.tables import SeriesRow
from models.arrays import Ints
from models.calendar.frequency import parse_frequency
from models.calendar.iso import Mask
from models.calendar.phase import choose_grid
from models.calendar.timestamps import format_stamps, is_same_timezone
from models.errors import OffGridError

_NAMED = 3
"""rows that do not fit which the detail names"""
_LISTED = 20
"""those which its `errors` list"""


@dataclass
class _NewGrid:
    """What a series is to be, before its rows have set its phase."""

    freq: str
    timezone: str
    anchor: int | None = None


def change_grid(session: Session, row: SeriesRow, freq: str, timezone: str) -> None:
    """Give a locked series a frequency and a timezone, and its grid another anchor where the phase needs one.

    What samples are filling is forgotten then.

    Raises Conflict where one of its rows, of y or of a covariate, is no step of them: it names the first of these.
    """
    if row.anchor is not None and not (is_same_timezone(row.timezone, timezone) and is_of_frequency(row, freq)):
        stamps = observations.load_stamps(session, row)
        row.anchor = _find_anchor(row, stamps, _NewGrid(freq, timezone)) if len(stamps) else None
        fed_steps.remove_all(session, row.pk)  # they are no steps of it any more
    row.freq = freq
    row.timezone = timezone


def _find_anchor(row: SeriesRow, stamps: Ints, new: _NewGrid) -> int:
    """Return the anchor of the new grid, on which all stamps (N,), N >= 1, lie. Raises Conflict."""
    try:
        grid = choose_grid(parse_frequency(new.freq), new.timezone, stamps)
        on_grid = grid.locate(stamps)[1]
    except OffGridError as e:
        raise _refuse(row, stamps, np.zeros(len(stamps), np.bool_), new, [e.detail]) from e
    if not on_grid.all():
        details = [grid.explain(stamp) for stamp in stamps[~on_grid][:_LISTED].tolist()]
        raise _refuse(row, stamps, on_grid, new, details)
    return grid.anchor


def _refuse(row: SeriesRow, stamps: Ints, on_grid: Mask, new: _NewGrid, details: Sequence[str]) -> Conflict:
    """Refuse a grid that some of the stamps (N,) do not lie on; `details` says of the first of these why."""
    off = stamps[~on_grid]
    shown = ", ".join(format_stamps(off[:_NAMED], new.timezone)) + (", …" if len(off) > _NAMED else "")
    cause = find_cause(new, stamps, np.zeros(len(stamps), np.bool_), None, is_new=True)  # that of all its rows
    field = "body.timezone" if is_of_frequency(row, new.freq) else "body.freq"
    return Conflict(
        ErrorCode.series_exists,
        f"{len(off)} of the series' {len(stamps)} rows would lie on no grid of frequency {new.freq!r} in "
        f"{new.timezone}: {shown} ({details[0]}{cause}). {_say_what_to_do(row, new)}",
        errors=[FieldError(field, ErrorCode.off_grid, detail) for detail in details],
    )


def _say_what_to_do(row: SeriesRow, new: _NewGrid) -> str:
    """Say what may be done with rows that do not fit a new grid."""
    steps = [
        f"Keep frequency {row.freq!r} and timezone {row.timezone}",
        "export the rows (GET /series/export) and import what is right of them into a new series",
        "delete them first (DELETE /series/{id}/observations)",
    ]
    if parse_frequency(new.freq).approximate_us > parse_frequency(row.freq).approximate_us:
        steps.insert(1, f"train on sums or means of {new.freq!r} (`cleaning.aggregate` of POST /train)")
    return ", or ".join(steps)
