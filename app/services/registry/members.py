"""The series that a model is about now: those that the training of its champion would select again."""

from collections.abc import Mapping
from typing import Any

from app.services.jobs.documents import parse_selector
from app.services.series.selection import Selector


def select_members(request: Mapping[str, Any] | None, data_span: Mapping[str, Any]) -> Selector:
    """Return the selector of a version's series.

    Args:
        request: of the job that trained it, if that is known
        data_span: of the version, whose series are meant where it is not
    """
    if request is None or "series" not in request:
        return Selector(tuple(data_span["series"]))
    return parse_selector(request)
