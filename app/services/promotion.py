"""Whether a new version goes live: on the gate span, which it has never seen, against the champion and the floor."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.logs import get_logger
from app.services import panels
from app.serving.runtime import BrokenVersion, LoadedVersion, load_version
from app.storage import models, series
from app.storage.artifacts import ArtifactMissing, ArtifactStore
from app.storage.engine import Database
from app.storage.scope import Scope
from app.storage.tables import VersionRow
from models.config import ConfigError, CovariateConfig
from models.fit import Fitted
from models.scoring import score_gate
from models.windows import Panel

log = get_logger(__name__)

MEASURE = "mase"
"""scale-free, so that a panel's large series do not outvote the small; mean absolute error where it is undefined"""


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why."""

    promoted: bool
    reason: str
    champion: int | None
    """the champion that it was judged against"""
    metrics: dict[str, Any] = field(default_factory=dict)
    """`champion`: its measures on the same windows"""


def judge(
    database: Database,
    store: ArtifactStore,
    scope: Scope,
    model_pk: int,
    panel: Panel,
    fitted: Fitted,
    promote: str,
) -> Verdict:
    """Decide whether `fitted` replaces the champion.

    With `if_better` it must beat season-naive and the champion on the gate. The champion may have seen these
    windows, the challenger has not: a challenger that wins has won under the harder terms. Raises ArtifactError
    where the store is away.
    """
    with database.read() as session:
        model = models.by_pk(session, scope, model_pk)
        champion = model.champion if model else None
        row = models.version(session, model, champion) if model and champion else None
    if promote != "if_better":
        return Verdict(promote == "always", f"promote was {promote!r}", champion)
    report = fitted.report
    if report.gate is None:
        if champion is None:
            return Verdict(True, "ungated: the history is too short for a gate, and there is no other version", None)
        return Verdict(
            False, "ungated: the history is too short for a gate; promote: always would set it live", champion
        )
    ours, floor = report.metrics["gate"], report.metrics["season_naive"]
    theirs = _Champion(None, "") if row is None else _champion(database, store, scope, panel, fitted, row)
    measured = {"champion": theirs.measures} if theirs.measures else {}
    for name, other in (("season-naive", floor), (f"the champion, version {champion}", theirs.measures)):
        if other is not None:
            ahead, how = _ahead(ours, other)
            if not ahead:
                return Verdict(False, f"not ahead of {name} on the gate span: {how}", champion, measured)
    return Verdict(True, f"ahead of season-naive{theirs.beaten}", champion, measured)


@dataclass(frozen=True)
class _Champion:
    """How the champion did on the gate."""

    measures: dict[str, float] | None
    """none where it cannot be measured"""
    beaten: str
    """what is said of it where the challenger goes live"""


def _champion(
    database: Database, store: ArtifactStore, scope: Scope, panel: Panel, fitted: Fitted, row: VersionRow
) -> _Champion:
    """Measure the champion on the challenger's gate. Raises ArtifactError where the store is away."""
    gate = fitted.report.gate
    assert gate is not None
    try:
        version = load_version(row.digest, lambda name: store.get(f"{row.artifact}/{name}"))
        complete = _panel_for(database, scope, panel, fitted, version)
        return _Champion(score_gate(complete, gate, version.run, version.config), " and of the champion")
    except (ArtifactMissing, BrokenVersion) as e:  # it cannot serve either; an outage is raised
        log.warning("champion_broken", version=row.number, detail=str(e))
        return _Champion(None, "; the champion's files are broken")
    except ConfigError as e:
        log.warning("champion_outdated", version=row.number, detail=str(e))
        return _Champion(None, "; the champion cannot read the series any more")


def _panel_for(database: Database, scope: Scope, panel: Panel, fitted: Fitted, version: LoadedVersion) -> Panel:
    """Return the panel with the covariates of another version, as they are stored now, where it lacks some."""
    wanted = version.config.covariates
    if _names(wanted) <= _names(fitted.config.covariates):
        return panel
    with database.read() as session:
        rows = series.get_many(session, scope, [one.id for one in panel.series])
        loaded = [(rows[one.id], one) for one in panel.series if one.id in rows]
        found = {one.id: one for one in panels.with_covariates(session, scope, loaded, wanted, horizon=0)}
    return replace(panel, series=tuple(found.get(one.id, one) for one in panel.series))


def _names(covariates: CovariateConfig) -> set[str]:
    return {*covariates.temporal, *covariates.static}


def _ahead(ours: Mapping[str, float], other: Mapping[str, float]) -> tuple[bool, str]:
    measure = MEASURE if MEASURE in ours and MEASURE in other else "mae"
    mine, theirs = ours.get(measure, np.nan), other.get(measure, np.nan)
    return bool(mine < theirs), f"{measure} {mine:.4g} against {theirs:.4g}"
