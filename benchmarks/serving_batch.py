"""Row of benchmarks.serving: ten thousand series in a request, beside the network's forward pass on the same batch."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.serving.batcher import PIECE_ROWS
from benchmarks.serving_data import HORIZON, MANY, body, name_of, original, stamps, values
from benchmarks.serving_report import Row, Setting
from benchmarks.serving_servers import Answer, NotMeasured, Place, Server, cores
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.calendar.timestamps import parse_stamps
from models.config.model import Config
from models.data.series import Series
from models.data.windows import assemble, inputs_of
from models.inference.predict import interpolate_quantiles

ARROW = "application/vnd.apache.arrow.stream"
TARGETS = {"JSON": 0.4, "Arrow": 0.6}
SAME = 1e-5
"""relative difference that is allowed between the service's values and the forward pass's"""

Floats = NDArray[np.float64]


class Forward:
    """The network alone, on inputs that are assembled before, in pieces as the service cuts them."""

    def __init__(self, place: Place) -> None:
        row, files = original(place)
        self.config = Config.from_dict(row.config)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(files["graph.onnx"], options, providers=["CPUExecutionProvider"])
        grid = Grid(parse_frequency("h"), "UTC", int(parse_stamps(stamps(1), "UTC")[0]))
        series = [Series(name_of(i), values(i), grid) for i in range(MANY)]
        pieces = [series[at : at + PIECE_ROWS] for at in range(0, MANY, PIECE_ROWS)]
        self._inputs = [
            inputs_of(assemble(p, np.array([len(s.y) - 1 for s in p], np.int64), self.config), self.config)
            for p in pieces
        ]

    def run(self) -> Floats:
        """Forecast all series: (MANY, H, Q)."""
        return np.concatenate([self._session.run(None, inputs)[0] for inputs in self._inputs])

    def medians(self) -> Floats:
        """Return (MANY, H) point forecasts."""
        return interpolate_quantiles(self.run(), self.config.quantiles, (0.5,))[..., 0]


def batch(setting: Setting) -> Iterator[Row]:
    """Series a second of one request for all series, as JSON and as Arrow, and of the first request after a start."""
    forward = Forward(setting.place)
    request = json.dumps(body(*range(MANY))).encode()
    with setting.place.gatecast(GATECAST_RENDERED_CACHE_BYTES="0") as server:
        with on(cores()[1]):
            first = _ask(setting.place, server, request, "JSON")
        _check(first, forward)
        passed = _pass(forward)
        yield _row("10 000 series, JSON, first call", [first.seconds], [passed], None)
        kinds = {"JSON": "JSON"}
        if _offers_arrow(setting.place, server):
            kinds["Arrow"] = "Arrow"
        found = _rounds(setting, server, request, forward, list(kinds))
        for kind in kinds:
            yield _row(f"10 000 series, {kind}", found[kind], found["forward"], TARGETS[kind])
        if "Arrow" not in kinds:
            raise NotMeasured("POST /forecast does not answer Arrow")


def _rounds(
    setting: Setting, server: Server, request: bytes, forward: Forward, kinds: list[str]
) -> dict[str, list[float]]:
    """Return seconds by what was measured, taken in turn."""
    measures: dict[str, Callable[[], float]] = {"forward": lambda: _pass(forward)}
    for kind in kinds:
        measures[kind] = lambda kind=kind: _ask(setting.place, server, request, kind).seconds  # type: ignore[misc]
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(setting.options.rounds + 1):
        for name in list(measures)[:: 1 if number % 2 == 0 else -1]:
            with on(cores()[0 if name == "forward" else 1]):
                seconds = measures[name]()
            if number > 0:  # the first round warms up
                found[name].append(seconds)
    return found


def _pass(forward: Forward) -> float:
    """Return the seconds of a forward pass on the servers' core."""
    with on(cores()[0]):
        began = time.perf_counter()
        forward.run()
        return time.perf_counter() - began


def _row(name: str, ours: list[float], passed: list[float], target: float | None) -> Row:
    ratio = float(median(b / a for a, b in zip(ours, passed, strict=True)))
    more = {"seconds": ours, "forward_seconds": passed, "piece": PIECE_ROWS}
    about = "the network's forward pass"
    return Row(name, MANY / median(ours), "series/s", ratio, target, "at least", MANY / median(passed), about, more)


def _ask(place: Place, server: Server, request: bytes, kind: str) -> Answer:
    accept = {"Accept": ARROW if kind == "Arrow" else "application/json"}
    answer = place.ask(server, "POST", "/forecast", request, **accept)
    if answer.status != 200:
        raise NotMeasured(f"{kind}: {answer.status} {answer.body[:300].decode(errors='replace')}")
    return answer


def _check(answer: Answer, forward: Forward) -> None:
    """Make sure that the answer holds what the forward pass gives. Raises NotMeasured."""
    found: list[dict[str, Any]] = answer.json()["forecasts"]
    if len(found) != MANY or any(one["status"] != "ok" or one["fallback"] for one in found):
        raise NotMeasured("not every series was forecast by the network")
    told = np.array([one["yhat"] for one in found])
    expected = forward.medians()[:, :HORIZON]
    worst = float((np.abs(told - expected) / np.abs(expected).max(axis=1, keepdims=True)).max())
    if worst > SAME:
        raise NotMeasured(f"the service's values and the forward pass's differ by {worst:.2g}")


def _offers_arrow(place: Place, server: Server) -> bool:
    """Say whether a forecast comes as Arrow when it is asked for."""
    answer = place.ask(server, "POST", "/forecast", body(0), Accept=ARROW)
    if answer.status != 200 or not answer.headers.get("content-type", "").startswith(ARROW):
        return False
    import pyarrow as pa

    return int(pa.ipc.open_stream(io.BytesIO(answer.body)).read_all().num_rows) == HORIZON


@contextmanager
def on(core: str) -> Iterator[None]:
    """Keep this thread on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
