"""The built-in model `auto`: the pretrained network, which needs no training and has no rows."""

from typing import Any

from app.errors import Conflict, ErrorCode
from models.pretrained.forecaster import ALL_LEVELS
from models.pretrained.published import read_made

BUILTIN = "auto"
"""name of the model; a model of that name which was trained before there was a built-in one stands in its place"""
NUMBER = 1
"""its version"""
MOST_STEPS = 1024
"""longest horizon"""
NO_DATA: dict[str, Any] = {"start": "1970-01-01T00:00:00+00:00", "end": "1970-01-01T00:00:00+00:00", "series": []}
"""what it has seen of anybody's series"""


def refuse_reserved() -> Conflict:
    """Return what is raised where the built-in model would have to be changed, or is asked for what it has not."""
    detail = (
        f"{BUILTIN!r} is the built-in model, which is never trained, changed or deleted, and has neither schedule nor "
        "files; POST /forecast takes it, POST /train makes a model of another name"
    )
    return Conflict(ErrorCode.model_reserved, detail)


def describe_builtin() -> dict[str, Any]:
    """Return the model as clients see it."""
    return {
        "name": BUILTIN,
        "builtin": True,
        "freq": None,
        "horizon": MOST_STEPS,
        "quantiles": list(ALL_LEVELS),
        "champion": NUMBER,
        "revision": 0,
        "versions": [NUMBER],
        "schedule": None,
        "created_at": read_made()["published"],
    }


def describe_builtin_version() -> dict[str, Any]:
    """Return its version as clients see it."""
    made = read_made()
    nothing = {"total": 0, "most": 0, "series": 0}
    return {
        "model": BUILTIN,
        "version": NUMBER,
        "revision": 0,
        "revisions": [],
        "promoted": True,
        "reason": "built in: trained on synthetic series alone",
        "warnings": [],
        "config": {"network": made["network"], "steps": made["done"], "windows": made["windows"]},
        "metrics": {"gate": None, "season_naive": None, "naive": None, "drift": None},
        "loss_curve": {"train": [], "val": []},
        "data_span": NO_DATA,
        "cleaning": {
            "gaps": "season",
            "outliers": "keep",
            "aggregate": None,
            "max_filled": None,
            "filled": nothing,
            "clipped": nothing,
            "refused": [],
        },
        "job": None,
        "provenance": {"seed": made["seed"], "hours": made["hours"], "sha256": made["sha256"]},
        "created_at": made["published"],
    }
