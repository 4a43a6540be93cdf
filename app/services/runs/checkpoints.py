"""What a job keeps for its next attempt while it trains: the data it began with, and how far it has come."""

import time
from dataclasses import dataclass, field

from app.errors import ErrorCode, JobRefused
from app.logs import get_logger
from app.services.runs.attempt import Attempt
from app.services.series import panels
from app.services.series.aggregation import is_readable, load_fine_histories, select_aggregated
from app.services.series.selection import Selector, select_series
from app.storage.artifacts import ArtifactError, ArtifactMissing
from app.storage.engine import OUTAGE
from app.storage.tables import ModelRow
from models.calendar.frequency import parse_frequency
from models.config.cleaning import CleaningConfig
from models.config.covariates import CovariateConfig
from models.data.aggregation import AggregationRecord, aggregate_all
from models.data.cleaning import refuse_incomplete
from models.data.series import Panel
from models.errors import CheckpointError
from models.training.checkpoint import Checkpoint

log = get_logger(__name__)


def load_panel(
    attempt: Attempt, model: ModelRow, selector: Selector, roles: CovariateConfig, cleaning: CleaningConfig
) -> tuple[Panel, AggregationRecord]:
    """Return the series that a job is about as they are stored now, of the model's frequency, and what aggregating them
    did. Raises JobRefused where there are none, ConfigError for text that changes within an aggregated step."""
    with attempt.database.read() as session:
        candidates = select_series(session, attempt.scope, selector)
        rows = [row for row in candidates if row.last_ts is not None and is_readable(row, model.freq, cleaning)]
        if not rows:
            detail = f"none of the series has observations of the model's frequency {model.freq!r}"
            raise JobRefused(ErrorCode.not_enough_data, detail)
        finer = select_aggregated(rows, model.freq, cleaning)
        coarse = {row.pk for row in finer}
        own = [row for row in rows if row.pk not in coarse]
        series = panels.load_histories(session, attempt.scope, own, roles, model.horizon) if own else []
        fine = load_fine_histories(session, attempt.scope, finer, roles, cleaning, model.horizon) if finer else []
    complete, refused = refuse_incomplete(fine, cleaning)
    aggregated, aggregation = aggregate_all(complete, cleaning)
    record = AggregationRecord(aggregation.filled, {**refused, **aggregation.refused})
    whole = sorted([*series, *aggregated], key=lambda item: item.id)
    if not whole:
        first = next(iter(record.refused.items()))
        raise JobRefused(ErrorCode.not_enough_data, f"no series can be trained on; {first[0]!r}: {first[1]}")
    return Panel(parse_frequency(model.freq), tuple(whole)), record


@dataclass
class Checkpoints:
    """The checkpoints of one attempt."""

    attempt: Attempt
    _saved: float = field(init=False, default_factory=time.monotonic)

    def save(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint if it is time for one, or for the worker to leave. Raises FenceLost and HandedOver.

        Outages are logged: the next one tries again.
        """
        attempt = self.attempt
        path = self._next_slot()
        early = time.monotonic() - self._saved < attempt.settings.checkpoint_seconds
        if early and not attempt.leaving.is_set():
            return
        try:
            attempt.store.put(path, checkpoint.to_bytes())
            attempt.journal.write(checkpoint=path)
        except (*OUTAGE, ArtifactError) as e:
            log.warning("checkpoint_not_written", detail=str(e).splitlines()[0])
            return
        attempt.job.checkpoint = path
        self._saved = time.monotonic()
        attempt.leave_if_asked()

    def load_last(self) -> Checkpoint | None:
        """Return the checkpoint of an earlier attempt; None without one that can be read. Raises ArtifactError."""
        path = self.attempt.job.checkpoint
        if path is None:
            return None
        try:
            return Checkpoint.from_bytes(self.attempt.store.get(path))
        except (CheckpointError, ArtifactMissing) as e:
            log.warning("checkpoint_refused", detail=f"{e}; training begins afresh")
            return None

    def _next_slot(self) -> str:
        """Return one of two slots in turn: the one that the job points to stays whole while the other is written."""
        last = self.attempt.job.checkpoint
        slot = 1 if last and last.endswith("-0.safetensors") else 0
        return f"{self.attempt.folder}/checkpoint-{self.attempt.fence.attempt}-{slot}.safetensors"
