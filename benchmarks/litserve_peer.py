"""LitServe with the articles' LSTM, run in its own environment: python litserve_peer.py PORT

Two layers of `LSTM(64)` and a linear layer, 168 values in the request and 24 in the answer; requests that arrive within
two milliseconds are one batch of at most 32. The weights are random: they have no part in the speed.
"""

import sys
from typing import Any

import litserve
import torch
from torch import nn

STEPS, HORIZON = 168, 24


class Articles(litserve.LitAPI):
    """Scaled values in, scaled values out."""

    def setup(self, device: str) -> None:
        """Make the network."""
        torch.set_num_threads(1)
        self.lstm = nn.LSTM(1, 64, 2, batch_first=True).eval()
        self.linear = nn.Linear(64, HORIZON).eval()

    def decode_request(self, request: dict[str, Any]) -> torch.Tensor:
        """Read `{"y": […]}`: (T,)."""
        return torch.tensor(request["y"], dtype=torch.float32)

    def batch(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Stack requests: (B, T)."""
        return torch.stack(inputs)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Forecast: (B, T) -> (B, H)."""
        with torch.inference_mode():
            return self.linear(self.lstm(x[..., None])[0][:, -1])

    def unbatch(self, output: torch.Tensor) -> list[torch.Tensor]:
        """Return the requests' shares."""
        return list(output)

    def encode_response(self, output: torch.Tensor) -> dict[str, list[float]]:
        """Answer `{"yhat": […]}`."""
        return {"yhat": output.tolist()}


if __name__ == "__main__":
    api = Articles(max_batch_size=32, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
