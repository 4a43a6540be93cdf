"""The two networks of the articles that teach LSTM forecasting in PyTorch, written as they write them.

Values between 0 and 1 by each series' training rows (`MinMaxScaler`), windows of a fixed look-back, MSE, Adam with a
rate of 0.001. One network predicts the next value and is fed its own predictions; the other predicts all steps.

Shapes: B batch, T look-back, H horizon, N windows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.accuracy_data import Part
from benchmarks.peers import median_seconds

RATE = 1e-3
AT_ONCE = 256


class NextValue(nn.Module):
    """`LSTM(50)` and `Dense(1)`: (B, T) -> (B, H), one value after another."""

    ahead, batch_size = 1, 32

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.lstm = nn.LSTM(1, 50, batch_first=True)
        self.dense = nn.Linear(50, 1)

    def forward(self, x: Tensor) -> Tensor:
        following: Tensor = self.dense(self.lstm(x[..., None])[0][:, -1])
        return following

    def forecast(self, x: Tensor) -> Tensor:
        """Slide the window over the network's own predictions: (B, T) -> (B, H)."""
        length = x.shape[1]
        for _ in range(self.horizon):
            x = torch.cat([x, self(x[:, -length:])], dim=1)
        return x[:, length:]


class AllSteps(nn.Module):
    """Two layers of `LSTM(64)` with dropout and a linear layer on the last step: (B, T) -> (B, H) at once."""

    batch_size = 64

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.ahead = horizon
        self.lstm = nn.LSTM(1, 64, 2, dropout=0.2, batch_first=True)
        self.linear = nn.Linear(64, horizon)

    def forward(self, x: Tensor) -> Tensor:
        steps: Tensor = self.linear(self.lstm(x[..., None])[0][:, -1])
        return steps

    def forecast(self, x: Tensor) -> Tensor:
        """Forecast (B, T) -> (B, H)."""
        return self(x)


KINDS: dict[str, Callable[[int], NextValue | AllSteps]] = {"next-value": NextValue, "all-steps": AllSteps}


@dataclass(frozen=True)
class Answer:
    """What a network of the articles came to."""

    point: NDArray[np.float64]
    """(S, W, H)"""
    windows_per_second: float
    latency_s: float
    """median seconds of one forecast of one series"""


def run(kind: str, part: Part, look_back: int, seconds: float) -> Answer:
    """Train for so many seconds on every series of the part, and forecast its windows."""
    torch.manual_seed(0)
    network = KINDS[kind](part.horizon)
    lowest = {one.id: float(np.nanmin(one.y)) for one in part.panel.series}
    spread = {one.id: float(np.nanmax(one.y)) - lowest[one.id] or 1.0 for one in part.panel.series}
    scaled = [torch.tensor((one.y - lowest[one.id]) / spread[one.id]).float() for one in part.panel.series]
    cut = [y.unfold(0, look_back + network.ahead, 1) for y in scaled if len(y) >= look_back + network.ahead]
    trained, windows = _train(network, torch.cat(cut), look_back, seconds)
    network.eval()
    point = np.empty((*part.origins.shape, part.horizon))
    with torch.inference_mode():
        for row, one in enumerate(part.series):
            low, size = lowest[one.id], spread[one.id]
            seen = np.stack([_padded(one.y, origin + 1, look_back) for origin in part.origins[row].tolist()])
            x = torch.tensor((seen - low) / size).float()
            parts = [network.forecast(piece) for piece in x.split(AT_ONCE)]
            point[row] = torch.cat(parts).double().numpy() * size + low
        latency = median_seconds(lambda: network.forecast(x[:1]))
    return Answer(point, windows / trained, latency)


def _train(network: nn.Module, windows: Tensor, look_back: int, seconds: float) -> tuple[float, int]:
    """Pass over the shuffled windows (N, T + ahead) until the time is up; return seconds and windows."""
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    size: Any = network.batch_size
    began, seen = time.perf_counter(), 0
    while True:
        for rows in torch.randperm(len(windows)).split(size):
            batch = windows[rows]
            loss = nn.functional.mse_loss(network(batch[:, :look_back]), batch[:, look_back:])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            seen += len(rows)
            if time.perf_counter() - began >= seconds:
                return time.perf_counter() - began, seen


def _padded(y: NDArray[np.float64], end: int, length: int) -> NDArray[np.float64]:
    """Return the `length` values before `end`, the first one repeated where the series is shorter."""
    seen = y[max(0, end - length) : end]
    return np.pad(seen, (length - len(seen), 0), mode="edge")
