"""The built-in model `auto`: the pretrained network, which needs no training and has no rows."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.errors import Conflict, ErrorCode
from app.storage.revisions import VersionRevision
from app.storage.tables import ModelRow, VersionRow
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.timestamps import WEEK
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.config.network import NetworkConfig
from models.planning.defaults import default_config_for_lengths
from models.pretrained.contexts import LONGEST, SEGMENT
from models.pretrained.forecaster import ALL_LEVELS
from models.pretrained.published import read_made

BUILTIN = "auto"
"""name of the model; a model of that name which was trained before there was a built-in one stands in its place"""
NUMBER = 1
"""its version"""
MOST_STEPS = 1024
"""longest horizon"""
LEAST_HORIZON = 8
"""steps of the least of the horizons that versions are made for, which double"""
SEASONS = 16
"""that a context holds of weeks and coarser steps, which need no thousand of them"""
SHORTEST = 64
"""steps of a context"""
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


def build_rows(frequency: str, horizon: int) -> tuple[ModelRow, VersionRevision]:
    """Return the model and its version for a frequency and a horizon, as rows that no database holds."""
    config = build_config(frequency, horizon)
    model = ModelRow(pk=0, name=BUILTIN, freq=frequency, horizon=config.horizon, quantiles=list(ALL_LEVELS))
    row = VersionRow(
        pk=0, model_pk=0, number=NUMBER, revision=0, config=config.to_dict(), metrics={}, data_span=NO_DATA, artifact=""
    )
    return model, VersionRevision(row, 0, None, "", compute_digest(config))


def compute_digest(config: Config) -> str:
    """Return what tells the version of a configuration from those of others."""
    return f"{read_made()['sha256']} {config.frequency} {config.horizon}"


@lru_cache(maxsize=1000)
def build_config(frequency: str, horizon: int) -> Config:
    """Return what the network reads and forecasts for a horizon: the next power of two, so that few versions serve."""
    steps = LEAST_HORIZON
    while steps < horizon:
        steps *= 2
    parsed = parse_frequency(frequency)
    seasons = season_lengths(parsed)
    longest = LONGEST if parsed.approximate_us < WEEK else seasons[-1] if seasons else 1
    context = min(LONGEST, max(SHORTEST, -(-SEASONS * longest // SEGMENT) * SEGMENT))
    base = default_config_for_lengths(frequency, steps, ALL_LEVELS, [LONGEST])
    network = NetworkConfig(context_length=context, segment=SEGMENT, season_lengths=seasons)
    return replace(base, network=network, cleaning=CleaningConfig(), nonnegative=True)
