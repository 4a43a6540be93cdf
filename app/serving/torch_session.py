"""A version's network in torch, for serving on a GPU: the same inputs and outputs as its ONNX graph.

Torch is imported here alone, and only where `GATECAST_SERVING_DEVICE` asks for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from models.errors import BrokenVersion


class TorchSession:
    """Runs a network on a device as ONNX Runtime runs its graph."""

    def __init__(self, digest: str, read: Callable[[str], bytes], device: str) -> None:
        """Load the weights of a folder whose manifest has the sha256 `digest`; `read` returns a file by name.

        Raises BrokenVersion where the machine has no such device, or the weights are not those that were published.
        """
        import torch

        from models.export.load import load_published

        if device == "cuda" and not torch.cuda.is_available():
            raise BrokenVersion("there is no CUDA device; set GATECAST_SERVING_DEVICE=cpu, or start where there is one")
        self._network = load_published(digest, read).to(device)
        self._torch = torch
        self._device = device

    def run(self, _outputs: None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs, (B, H, ...) each, of inputs by name, (B, ...) each."""
        torch = self._torch
        with torch.inference_mode():
            given = {name: torch.from_numpy(values).to(self._device) for name, values in inputs.items()}
            forecast = self._network.forecast(**given)
        return [getattr(forecast, name).cpu().numpy() for name in self._network.config.graph_outputs]
