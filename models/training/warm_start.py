"""Taking over the weights of another trained network.

What another horizon gives another shape (candidates' gates, the linear forecast) begins afresh; the recurrences, the
scales of covariates and all else of one shape are taken over.
"""

import hashlib

import torch
from torch import Tensor

from models.config.validation import require
from models.network.network import Network

ENCODER = ".encoder."
POSITION = ".decoder.position"


def adopt(network: Network, source: Network) -> list[str]:
    """Copy what fits from a trained network of the same kind; return the names of what begins afresh.

    Raises ConfigError where not even the encoder fits: then it is another network, not a transfer.
    """
    own, other = network.state_dict(), source.state_dict()
    taken: dict[str, Tensor] = {}
    for name, value in own.items():
        found = other.get(name)
        if found is not None and found.shape == value.shape:
            taken[name] = found
        elif found is not None and name.endswith(POSITION):
            rows = torch.arange(len(value)).clip(max=len(found) - 1)  # segments further ahead begin as the last one
            taken[name] = found[rows]
    afresh = sorted(set(own) - set(taken))
    lost = next((name for name in afresh if ENCODER in name), None)
    require(lost is None, "warm_start", f"has another encoder ({lost} has another shape): network settings differ")
    network.load_state_dict(taken, strict=False)
    return afresh


def freeze(network: Network) -> None:
    """Keep the encoders as they are."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(ENCODER not in f".{name}")


def digest_of(network: Network) -> str:
    """Identify a network's weights, so that a checkpoint is not continued from another start."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
