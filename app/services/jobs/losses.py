"""The losses of a training after each epoch, stored as events of the job while it runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.storage import jobs

EPOCHS = "losses"
"""kind of event: epochs ended; an epoch that is stored again replaces what was stored of it and of all later ones"""
COLUMNS = ("epochs", "phases", "train", "val")


@dataclass
class LossRecorder:
    """Epochs of a training that are not stored yet. Losses are in scaled units."""

    _stored: tuple[int, int] = field(init=False, default=(0, 0))
    """epochs before the phase whose epochs were stored last, and how many of the phase's were"""
    _told: tuple[int, str, Sequence[float], Sequence[float]] = field(init=False, default=(0, "", (), ()))
    _ended: list[dict[str, list[Any]]] = field(init=False, default_factory=list)

    def add(self, before: int, phase: str, train: Sequence[float], val: Sequence[float]) -> None:
        """Take the losses of all epochs of a phase that have ended; `before` counts those of the phases before it."""
        if before != self._told[0] and (rest := self._list_unstored()):
            self._ended.append(rest)
        self._told = (before, phase, train, val)

    def list_unstored(self) -> dict[str, list[Any]]:
        """Return the columns of the epochs that are to be stored; empty where there are none."""
        parts = [*self._ended, *([rest] if (rest := self._list_unstored()) else [])]
        return {name: [value for part in parts for value in part[name]] for name in COLUMNS} if parts else {}

    def note_stored(self) -> None:
        """Forget what `list_unstored` returned."""
        self._ended.clear()
        self._stored = (self._told[0], len(self._told[2]))

    def _list_unstored(self) -> dict[str, list[Any]]:
        before, phase, train, val = self._told
        first = self._stored[1] if self._stored[0] == before else 0
        numbers = range(first, len(train))
        if not numbers:
            return {}
        return {
            "epochs": [before + number + 1 for number in numbers],
            "phases": [phase for _ in numbers],
            "train": [train[number] for number in numbers],
            "val": [val[number] if number < len(val) else None for number in numbers],
        }


def load_losses(session: Session, job_id: str) -> dict[str, Any]:
    """Return a job's loss curve in columns, and the epoch with the least loss on the selection span."""
    return describe_losses(event.data for event in jobs.list_events(session, job_id, (EPOCHS,)))


def describe_losses(parts: Iterable[dict[str, list[Any]]]) -> dict[str, Any]:
    """Return one curve of parts in the order in which they were stored."""
    rows: dict[int, tuple[Any, ...]] = {}
    for part in parts:
        first = part["epochs"][0]
        rows = {epoch: row for epoch, row in rows.items() if epoch < first}
        rows.update((row[0], row) for row in zip(*(part[name] for name in COLUMNS), strict=True))
    val = {epoch: row[3] for epoch, row in rows.items() if row[3] is not None}
    columns = {name: [row[index] for row in rows.values()] for index, name in enumerate(COLUMNS)}
    return columns | {"best": min(val, key=lambda epoch: float(val[epoch])) if val else None}
