"""The built-in model `auto`: the pretrained network, which needs no training.

It forecasts series of any frequency and has no rows. `auto:h` is the same for one frequency, as a model like any other:
its rows are made when something first has to refer to them, such as a schedule.
"""

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, NotFound
from app.scope import Scope
from app.serving.pretrained import is_coarse
from app.storage import builtin
from app.storage.revisions import VersionRevision
from app.storage.tables import ModelRow, VersionRow
from models.calendar.frequency import parse_frequency, season_lengths
from models.calendar.timestamps import parse_stamps
from models.config.cleaning import CleaningConfig
from models.config.model import Config
from models.config.network import NetworkConfig
from models.errors import FrequencyError
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
_ARTIFACT = re.compile(rf"{BUILTIN}/(?P<freq>[^/]+)/(?P<horizon>[0-9]+)")
NO_DATA: dict[str, Any] = {"start": "1970-01-01T00:00:00+00:00", "end": "1970-01-01T00:00:00+00:00", "series": []}
"""what it has seen of anybody's series"""


def refuse_reserved() -> Conflict:
    """Return what is raised where the built-in model would have to be changed, or is asked for what it has not."""
    detail = (
        f"{BUILTIN!r} is the built-in model, which is never trained, changed or deleted; POST /forecast takes it, and "
        "POST /train makes a model of another name. Its forecasts of one frequency have a schedule, an archive, alerts "
        f"and a watch: name it {BUILTIN}:h for those of hours"
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


def parse_builtin_name(name: str) -> str | None:
    """Return the frequency of `auto:h`, the built-in model for one frequency; None for any other name.

    Raises NotFound where what follows the colon is no frequency, or another spelling of one.
    """
    if not name.startswith(f"{BUILTIN}:"):
        return None
    text = name.removeprefix(f"{BUILTIN}:")
    try:
        alias = parse_frequency(text).alias
    except FrequencyError as e:
        raise NotFound(
            ErrorCode.model_not_found, f"{name[:100]!r} is no model: {e}; {BUILTIN}:h is that of hours"
        ) from e
    if alias != text:
        raise NotFound(ErrorCode.model_not_found, f"name {name[:100]!r} as {BUILTIN}:{alias}")
    return alias


def build_rows(frequency: str, horizon: int | None = None) -> tuple[ModelRow, VersionRevision]:
    """Return the model and its version for a frequency and a horizon, by default a season, as rows that no database
    holds."""
    model, version = _build_columns(frequency, horizon)
    row = VersionRow(pk=0, model_pk=0, revision=0, **version)
    transient = ModelRow(pk=0, champion=NUMBER, last_version=NUMBER, **model)
    return transient, VersionRevision(row, 0, None, row.artifact, row.digest)


def add_rows(session: Session, scope: Scope, frequency: str) -> ModelRow:
    """Return the model for a frequency, locked, with its rows."""
    return builtin.add(session, scope, *_build_columns(frequency, None))


def find_config(artifact: str) -> Config | None:
    """Return the configuration of a version that the package carries; None where its files are in the store."""
    match = _ARTIFACT.fullmatch(artifact)
    return build_config(match["freq"], int(match["horizon"])) if match is not None else None


def _build_columns(frequency: str, horizon: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    made = read_made()
    config = build_config(frequency, horizon or max(LEAST_HORIZON, parse_frequency(frequency).season))
    described = describe_builtin_version()
    model = {
        "name": f"{BUILTIN}:{frequency}",
        "freq": frequency,
        "horizon": config.horizon,
        "quantiles": list(ALL_LEVELS),
        "created_at": int(parse_stamps([made["published"]], "UTC")[0]),
    }
    copied = {
        name: described[name] for name in ("promoted", "reason", "loss_curve", "data_span", "warnings", "provenance")
    }
    version = {
        "number": NUMBER,
        "created_at": model["created_at"],
        "config": config.to_dict(),
        "metrics": {},
        "artifact": f"{BUILTIN}/{frequency}/{config.horizon}",
        "digest": compute_digest(config),
        **copied,
    }
    return model, version


def compute_digest(config: Config) -> str:
    """Return what tells the version of a configuration from those of others, and of other releases."""
    return hashlib.sha256(f"{read_made()['sha256']} {config.frequency} {config.horizon}".encode()).hexdigest()


@lru_cache(maxsize=1000)
def build_config(frequency: str, horizon: int) -> Config:
    """Return what the network reads and forecasts for a horizon: the next power of two, so that few versions serve."""
    steps = LEAST_HORIZON
    while steps < horizon:
        steps *= 2
    parsed = parse_frequency(frequency)
    seasons = season_lengths(parsed)
    longest = LONGEST if not is_coarse(frequency) else seasons[-1] if seasons else 1
    context = min(LONGEST, max(SHORTEST, -(-SEASONS * longest // SEGMENT) * SEGMENT))
    base = default_config_for_lengths(frequency, steps, ALL_LEVELS, [LONGEST])
    network = NetworkConfig(context_length=context, segment=SEGMENT, season_lengths=seasons)
    return replace(base, network=network, cleaning=CleaningConfig(), nonnegative=True)
