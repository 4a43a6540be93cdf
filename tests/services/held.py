"""Holding the thread that runs the networks, so that what waits for it can be seen waiting."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.services.forecasting.service import ForecastService
from app.serving.runtime import LoadedVersion
from models.planning.defaults import default_config_for_lengths

PATIENCE = 30.0
CONFIG = default_config_for_lengths("h", 1, (0.5,), [100])


class Gate:
    """A graph that runs when it is let."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self.batches: list[int] = []
        """rows of the batches that were run"""
        if is_open:
            self.opened.set()

    def run(self, _names: Any, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float64]]:
        self.entered.set()
        assert self.opened.wait(PATIENCE), "somebody opens the gate"
        y = inputs["y"]
        self.batches.append(len(y))
        return [y[:, -1:, None].astype(np.float64)]

    @property
    def version(self) -> LoadedVersion:
        return LoadedVersion(session=self, config=CONFIG, size=1)


def forecasts_of(client: TestClient) -> ForecastService:
    """Return the service below an application."""
    found: ForecastService = client.app.state.services.forecasts  # type: ignore[attr-defined]
    return found


@contextmanager
def held(client: TestClient) -> Iterator[None]:
    """Let no network run meanwhile."""
    gate = Gate()
    pieces = [{"y": np.zeros((1, 1))}]
    runs = forecasts_of(client)._batcher.run(gate.version, pieces)
    thread = threading.Thread(target=lambda: list(runs))
    thread.start()
    try:
        assert gate.entered.wait(PATIENCE)
        yield
    finally:
        gate.opened.set()
        thread.join()


class Call:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._found: list[Any] = []
        self._thread = threading.Thread(target=lambda: self._found.append(call()), daemon=True)
        self._thread.start()

    def result(self, seconds: float = PATIENCE) -> Any:
        """Return what the call returned. Raises TimeoutError."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError
        return self._found[0]


def until(condition: Callable[[], bool]) -> None:
    """Poll for what another thread does."""
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise TimeoutError
