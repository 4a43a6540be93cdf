"""Trials of a hyperparameter search and its result, as plain JSON. It imports neither torch nor optuna."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from models.config.model import Config
from models.errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A combination of hyperparameters and its losses."""

    number: int
    """counted from 0, the configuration itself"""
    params: Mapping[str, Any]
    """name -> value of each searched hyperparameter"""
    state: Literal["running", "complete", "pruned", "failed", "stopped"]
    """`pruned`: worse than the median; `failed`: diverged or out of memory; `stopped`: out of time"""
    reason: str | None = None
    """reason why the trial is not complete"""
    curve: tuple[float, ...] = ()
    """loss of the best weights so far, after each epoch"""
    seconds: float = 0.0
    """seconds of wall time"""
    search: str
    """digest of data, configuration and space, since a trial is resumed only in the same search"""

    @property
    def loss(self) -> float | None:
        """Loss of the best weights, in units of the series; None before the first epoch."""
        return self.curve[-1] if self.curve else None

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.curve)

    @property
    def finished(self) -> bool:
        """Whether a resumed search keeps the trial; others are run again."""
        return self.state in ("complete", "pruned", "failed")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, which `search` takes as an element of `resume`."""
        return {**asdict(self), "curve": list(self.curve), "loss": self.loss, "epochs": self.epochs}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Trial":
        """Read what `to_dict` wrote. Raises CheckpointError."""
        try:
            plain = {name: value for name, value in values.items() if name not in ("loss", "epochs")}
            trial = Trial(**{**plain, "curve": tuple(float(loss) for loss in plain["curve"])})
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            raise CheckpointError(f"not a trial of a search ({e})") from e
        if trial.state == "complete" and not trial.curve:
            raise CheckpointError(f"trial {trial.number} is complete but has no loss")
        return trial


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The best configuration of a search, and its trials."""

    config: Config
    """configuration of the best complete trial, for `fit`"""
    loss: float
    """loss of that trial on the selection span, in units of the series"""
    trials: tuple[Trial, ...]
    """all trials, by number"""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; its `trials` can be given back to `search` as `resume`."""
        trials = [trial.to_dict() for trial in self.trials]
        return {"config": self.config.to_dict(), "loss": self.loss, "trials": trials}


def read_trials(records: Iterable[Mapping[str, Any]], search: str) -> list[Trial]:
    """Read the last record of each number, by number. Raises CheckpointError for trials of another search.

    `search` is the digest that they must carry. Finished ones must be numbered without a gap.
    """
    last = {trial.number: trial for trial in map(Trial.from_dict, records)}
    trials = [trial for _, trial in sorted(last.items())]
    if any(trial.search != search for trial in trials):
        raise CheckpointError("the trials belong to another configuration, to other data or to another space")
    numbers = [trial.number for trial in trials if trial.finished]
    if numbers != list(range(len(numbers))):
        raise CheckpointError("trials are missing among those to resume")
    return trials
