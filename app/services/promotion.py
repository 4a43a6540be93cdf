"""Whether a new version goes live: on the gate span, which it has never seen, against the champion and the floor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.logs import get_logger
from app.serving.runtime import BrokenVersion, LoadedVersion, load_version
from app.storage import models
from app.storage.artifacts import ArtifactMissing, ArtifactStore
from app.storage.engine import Database
from app.storage.scope import Scope
from models.backtest import score_gate
from models.fit import Fitted
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
    theirs = None
    if row is not None:
        try:
            theirs = _score(load_version(row.digest, lambda name: store.get(f"{row.artifact}/{name}")), panel, fitted)
        except (ArtifactMissing, BrokenVersion) as e:  # it cannot serve either; an outage is raised
            log.warning("champion_broken", version=champion, detail=str(e))
    measured = {"champion": theirs} if theirs else {}
    for name, other in (("season-naive", floor), (f"the champion, version {champion}", theirs)):
        if other is not None:
            ahead, how = _ahead(ours, other)
            if not ahead:
                return Verdict(False, f"not ahead of {name} on the gate span: {how}", champion, measured)
    beaten = "" if row is None else " and of the champion" if theirs else "; the champion's files are broken"
    return Verdict(True, f"ahead of season-naive{beaten}", champion, measured)


def _score(version: LoadedVersion, panel: Panel, fitted: Fitted) -> dict[str, float]:
    gate = fitted.report.gate
    assert gate is not None
    return score_gate(panel, gate, version.run, context_length=version.context_length, levels=version.levels)


def _ahead(ours: Mapping[str, float], other: Mapping[str, float]) -> tuple[bool, str]:
    measure = MEASURE if MEASURE in ours and MEASURE in other else "mae"
    mine, theirs = ours.get(measure, np.nan), other.get(measure, np.nan)
    return bool(mine < theirs), f"{measure} {mine:.4g} against {theirs:.4g}"
