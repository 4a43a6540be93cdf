"""The widths of archived intervals: those that the service would give them, from replays of the same series."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from app.services.forecasting.inputs.replayer import build_plan, load_histories, plan_stored
from app.services.forecasting.inputs.served_version import TrainingSpan
from app.services.runs.attempt import Attempt
from app.serving.runtime import LoadedVersion
from app.storage.tables import SeriesRow, VersionRow
from models.config.model import Config
from models.data.series import Series
from models.data.windows import cut_contexts
from models.inference.replay import ReplayPlan, find_bounds, find_widths, replay_all
from models.inference.widths import IntervalWidths


def plan_replays(
    session: Session,
    attempt: Attempt,
    row: VersionRow,
    config: Config,
    contexts: Mapping[str, Series],
    rows: Mapping[str, SeriesRow],
) -> list[ReplayPlan]:
    """Return the replays of those series that have enough to learn from; contexts and rows are theirs, by id."""
    if not attempt.settings.replay_windows:
        return []
    span = TrainingSpan.from_document(row.data_span)
    origins = {i: plan_stored(context, rows[i], span, config) for i, context in contexts.items()}
    chosen = {i: planned for i, planned in origins.items() if len(planned)}
    if not chosen:
        return []
    whole = load_histories(session, attempt.scope, contexts, chosen, rows, config)
    return [build_plan(series, chosen[i], None) for i, series in whole.items()]


def measure_widths(
    contexts: Sequence[Series], plans: Sequence[ReplayPlan], version: LoadedVersion
) -> dict[str, IntervalWidths | None]:
    """Run the replays, and return what the levels of each forecast become, by id."""
    config = version.config
    replays = {replay.series.id: replay for replay in replay_all(plans, version.run, config)}
    replayed = [context for context in contexts if context.id in replays]
    y = cut_contexts(replayed, np.array([len(context.y) - 1 for context in replayed], np.int64), config)  # (B, T)
    return {
        context.id: find_widths(
            replays[context.id],
            context.start + len(context.y) - 1,
            config,
            find_bounds(values, config, is_signed=config.is_signed(context.id)),
        )
        for context, values in zip(replayed, y, strict=True)
    }
