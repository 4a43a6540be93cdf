"""What a forecast may be while others write and promote: states with the times between which they could be seen, and
forecasts that are computed beside the service from a version's graph.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.data.outliers import hide_all
from models.data.series import Series
from models.data.windows import assemble, inputs_of
from models.inference.predict import interpolate_quantiles
from tests.trained import Trained

S = TypeVar("S")
Floats = NDArray[np.float64]
START = np.datetime64("2024-01-01T00:00:00")
SAME = 1e-5
"""of a forecast's largest value: graphs compute in single precision, and a batch of another size in another order"""


@dataclass
class _Stay(Generic[S]):
    """A state, and when it could first and last be seen."""

    state: S
    begin: float
    end: float = float("inf")


class Timeline(Generic[S]):
    """The states of one thing. A change can be seen from when it is asked for, and must be from when it is answered."""

    def __init__(self, state: S) -> None:
        self._lock = threading.Lock()
        self._stays = [_Stay(state, float("-inf"))]

    @property
    def now(self) -> S:
        """The newest state, for the one who changes it."""
        return self._stays[-1].state

    @contextmanager
    def change(self, state: S, grace: float = 0.0) -> Iterator[None]:
        """Do in the block what brings the state about; those before it may still be seen for `grace` seconds more."""
        with self._lock:
            before = list(self._stays)
            self._stays.append(_Stay(state, time.monotonic()))
        yield
        for one in before:
            one.end = min(one.end, time.monotonic() + grace)

    def possible(self, begin: float, end: float) -> list[S]:
        """Return the states that a request may see which was sent and answered at these times."""
        with self._lock:
            return [one.state for one in self._stays if one.begin <= end and one.end >= begin]

    def forget(self, before: float) -> None:
        """Drop states that nobody who asks from then on may see."""
        with self._lock:
            self._stays = [one for one in self._stays if one.end >= before]


@dataclass(frozen=True)
class Values:
    """Hourly values from the beginning of 2024 on, None where one is missing; compared as the object that they are."""

    y: tuple[float | None, ...]

    def ds(self, first: int = 0) -> list[str]:
        """Return the timestamps from the `first` value on."""
        hours = START + np.arange(first, len(self.y)).astype("m8[h]")
        return [f"{t}+00:00" for t in np.datetime_as_string(hours, unit="s")]

    @property
    def origin(self) -> np.datetime64:
        """The time of the last value."""
        moment: np.datetime64 = START + np.timedelta64(len(self.y) - 1, "h")
        return moment


@dataclass(frozen=True)
class Expected:
    """A forecast's values: yhat (H,), quantiles (H, Q)."""

    origin: np.datetime64
    yhat: Floats
    quantiles: Floats

    def is_in(self, told: dict[str, Any]) -> bool:
        """Say whether a forecast of the service is this one, or its first steps: origin, times and values."""
        return self.off(told) <= SAME

    def off(self, told: dict[str, Any]) -> float:
        """Return the largest difference of a forecast's values, in units of the largest; infinite for other times."""
        ds = [np.datetime64(t[:19]) for t in told["ds"]]
        steps = [self.origin + np.timedelta64(h, "h") for h in range(1, len(ds) + 1)]
        yhat, columns = np.array(told["yhat"]), np.array(list(told["quantiles"].values())).T
        if np.datetime64(told["origin"][:19]) != self.origin or ds != steps:
            return float("inf")
        if yhat.shape != (len(ds),) or columns.shape != (len(ds), self.quantiles.shape[1]):
            return float("inf")
        worst = np.abs(yhat - self.yhat[: len(ds)]).max(), np.abs(columns - self.quantiles[: len(ds)]).max()
        return float(max(worst) / np.abs(self.quantiles).max())

    def differs(self, other: "Expected") -> bool:
        """Say whether the two can be told apart."""
        return self.origin != other.origin or float(np.abs(self.yhat - other.yhat).max()) > 10 * SAME * float(
            np.abs(self.yhat).max()
        )


@dataclass
class Reference:
    """A version's forecasts, from its graph and nothing of the service."""

    trained: Trained
    levels: Sequence[float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[tuple[str, Values], Expected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        graph = self.trained.folder / "graph.onnx"
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def forecast(self, series_id: str, values: Values) -> Expected:
        """Return the forecast of a series in a state."""
        key = (series_id, values)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._computed(series_id, values)
                if len(self._known) > 20_000:
                    del self._known[next(iter(self._known))]
            return self._known[key]

    def _computed(self, series_id: str, values: Values) -> Expected:
        config = self.trained.fitted.config
        grid = Grid(parse_frequency("h"), "UTC", int(START.astype("datetime64[us]").astype(np.int64)))
        y = np.array([np.nan if v is None else v for v in values.y])
        series = Series(series_id, y, grid)

        origins = np.array([len(y) - 1], np.int64)
        visible, _ = hide_all([series], origins, config)
        batch = assemble(visible, origins, config)
        (quantiles,) = self._session.run(["quantiles"], inputs_of(batch, config))
        yhat = interpolate_quantiles(quantiles, config.quantiles, (0.5,))[0, :, 0]
        return Expected(values.origin, yhat, interpolate_quantiles(quantiles, config.quantiles, self.levels)[0])
