"""Whether a new version goes live: on the gate span, which it has never seen, against the champion and the floor."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.logs import get_logger
from app.services import panels
from app.services.runs.attempt import Attempt, BadJob
from app.serving.runtime import LoadedVersion
from app.storage import models, series
from app.storage.tables import VersionRow
from models.config import ConfigError, CovariateConfig
from models.fit import Fitted
from models.scoring import GateSpan, Windows, measures, score, score_season_naive, windows_of
from models.timestamps import parse_stamps
from models.windows import Panel

log = get_logger(__name__)

Ints = NDArray[np.int64]
LEAST_FRESH = 8
"""windows since the champion's data ended, from which on they alone decide"""
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


def judge(attempt: Attempt, model_pk: int, panel: Panel, fitted: Fitted) -> Verdict:
    """Decide whether `fitted` replaces the champion.

    With `if_better` it must beat season-naive and the champion on the same windows: those of its gate that begin
    after the champion's data ended, which neither has seen. Where they are too few it is the whole gate, of which the
    champion may have seen a part and the challenger has not: a challenger that wins there has won under the harder
    terms. Raises ArtifactError where the store is away.
    """
    promote = attempt.job.request["promote"]
    with attempt.database.read() as session:
        model = models.by_pk(session, attempt.scope, model_pk)
        champion = model.champion if model else None
        row = models.version(session, model, champion) if model and champion else None
    report = fitted.report
    if "stopped" in report.warnings:
        return Verdict(False, "stopped early by its user; PUT /models/{name}/champion sets it live", champion)
    if promote != "if_better":
        return Verdict(promote == "always", f"promote was {promote!r}", champion)
    if report.gate is None or fitted.gate_quantiles is None:
        if champion is None:
            return Verdict(True, "ungated: the history is too short for a gate, and there is no other version", None)
        return Verdict(
            False, "ungated: the history is too short for a gate; promote: always would set it live", champion
        )
    return _compared(attempt, panel, fitted, report.gate, row)


def _compared(attempt: Attempt, panel: Panel, fitted: Fitted, gate: GateSpan, row: VersionRow | None) -> Verdict:
    """Compare with season-naive and the champion on the same windows."""
    assert fitted.gate_quantiles is not None
    windows = windows_of(panel, gate)
    rows, where = _fresh(windows, row)
    part, levels = windows.part(rows), fitted.config.quantiles
    ours = measures(part, fitted.gate_quantiles[rows], levels)
    floor = score_season_naive(part, panel, levels)
    theirs = _Champion(None, "") if row is None else _champion(attempt, panel, fitted, gate, row, rows)
    champion = row.number if row is not None else None
    measured = {"champion": theirs.measures} if theirs.measures else {}
    if len(rows) < len(windows.series):
        measured |= {"gate_since_champion": ours, "season_naive_since_champion": floor}
    for name, other in (("season-naive", floor), (f"the champion, version {champion}", theirs.measures)):
        if other is not None:
            ahead, how = _ahead(ours, other)
            if not ahead:
                return Verdict(False, f"not ahead of {name} on {where}: {how}", champion, measured)
    return Verdict(True, f"ahead of season-naive on {where}{theirs.beaten}", champion, measured)


def _fresh(windows: Windows, row: VersionRow | None) -> tuple[Ints, str]:
    """Return the windows to compare on, (N,) of them, and what they are called."""
    everything = np.arange(len(windows.series))
    if row is None:
        return everything, "the gate span"
    end = int(parse_stamps([row.data_span["end"]], "UTC")[0])
    pairs = zip(windows.series, windows.origins.tolist(), strict=True)
    origins = np.array([one.stamps(origin, origin + 1)[0] for one, origin in pairs], np.int64)
    fresh = np.flatnonzero(origins >= end)
    if len(fresh) < LEAST_FRESH:
        return everything, "the gate span"
    return fresh, f"the {len(fresh)} windows since the champion's data ended"


@dataclass(frozen=True)
class _Champion:
    """How the champion did."""

    measures: dict[str, float] | None
    """none where it cannot be measured"""
    beaten: str
    """what is said of it where the challenger goes live"""


def _champion(attempt: Attempt, panel: Panel, fitted: Fitted, gate: GateSpan, row: VersionRow, rows: Ints) -> _Champion:
    """Measure the champion on some windows of the challenger's gate. Raises ArtifactError where the store is away."""
    try:
        version = attempt.loaded(row)
        complete = _panel_for(attempt, panel, fitted, version)
        windows = windows_of(complete, gate).part(rows)
        return _Champion(score(windows, version.run, version.config), ", and of the champion")
    except BadJob as e:  # it cannot serve either; an outage is raised
        log.warning("champion_broken", version=row.number, detail=str(e))
        return _Champion(None, "; the champion's files are broken")
    except ConfigError as e:
        log.warning("champion_outdated", version=row.number, detail=str(e))
        return _Champion(None, "; the champion cannot read the series any more")


def _panel_for(attempt: Attempt, panel: Panel, fitted: Fitted, version: LoadedVersion) -> Panel:
    """Return the panel with the covariates of another version, as they are stored now, where it lacks some."""
    wanted = version.config.covariates
    if _names(wanted) <= _names(fitted.config.covariates):
        return panel
    with attempt.database.read() as session:
        rows = series.get_many(session, attempt.scope, [one.id for one in panel.series])
        loaded = [(rows[one.id], one) for one in panel.series if one.id in rows]
        found = {
            one.id: one for one in panels.with_covariates(session, attempt.scope, loaded, wanted, fitted.config.horizon)
        }
    return replace(panel, series=tuple(found.get(one.id, one) for one in panel.series))


def _names(covariates: CovariateConfig) -> set[str]:
    return {*covariates.temporal, *covariates.static}


def _ahead(ours: Mapping[str, float], other: Mapping[str, float]) -> tuple[bool, str]:
    measure = MEASURE if MEASURE in ours and MEASURE in other else "mae"
    mine, theirs = ours.get(measure, np.nan), other.get(measure, np.nan)
    return bool(mine < theirs), f"{measure} {mine:.4g} against {theirs:.4g}"
