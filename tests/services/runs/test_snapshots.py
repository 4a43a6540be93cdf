"""A job's data and configuration come back from its snapshot to the bit."""

import numpy as np

from app.services.runs.snapshots import Snapshot
from models.calendar.frequency import parse_frequency
from models.calendar.grid import Grid
from models.data.series import Panel, Series
from models.planning.defaults import default_config


def test_round_trip() -> None:
    frequency = parse_frequency("h")
    grids = Grid(frequency, "UTC", 0), Grid(frequency, "Europe/Berlin", 3_600_000_000)
    odd = np.array([0x7FF8000000000001], np.int64).view(np.float64)  # a NaN of its own
    y = np.concatenate([np.random.default_rng(0).normal(size=60), odd, [-0.0, 5e-324, 1.0]])
    text = np.array(["b", None, "ä\n", "", "b"], object)
    series = (
        Series("a/1", y, grids[0], -3, {"temp": y[::-1].copy(), "day": text}, {"size": 0.1, "kind": "hall"}),
        Series("b", y[:9], grids[1], 7, {"day": np.array([None, "only here"], object), "temp": y[:0]}),
        Series("c", y[:5], grids[0]),
    )
    panel = Panel(frequency, series)
    config = default_config(
        panel, 4, known_future=["day"], past=["temp"], static=["kind"], country="DE", bounds=(0, None)
    )
    found = Snapshot.from_bytes(Snapshot(panel, config).to_bytes())
    assert found.config == config
    for one, other in zip(found.panel.series, series, strict=True):
        assert (one.id, one.grid, one.start, one.static) == (other.id, other.grid, other.start, other.static)
        assert one.y.tobytes() == other.y.tobytes()
        assert list(one.covariates) == list(other.covariates)
        for name, column in one.covariates.items():
            wanted = other.covariates[name]
            assert column.dtype == wanted.dtype
            assert column.tolist() == wanted.tolist() if name == "day" else column.tobytes() == wanted.tobytes()
