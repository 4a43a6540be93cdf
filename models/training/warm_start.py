"""Warm start: taking over the weights of another trained network.

What another horizon gives another shape (candidates' gates, the linear forecast) begins afresh; the recurrences, the
scales of covariates and all else of one shape are taken over.
"""

import hashlib

import torch
from torch import Tensor

from models.config.validation import require
from models.network.network import Network

ENCODER = ".encoder."
"""part of the names of an encoder's weights"""
READING = tuple(f".pretrained.network.{part}." for part in ("embed", "blocks", "norm"))
"""parts of the names of the pretrained network's weights that read a context"""
POSITION = ".decoder.position"
"""end of the name of a decoder's learned positions (M, D), a row a segment of the horizon"""
CALIBRATED = "calibrated."
"""before the names of what is fitted to the data at hand"""


def adopt(network: Network, source: Network) -> list[str]:
    """Copy what fits from a trained network of the same kind; return the names of what begins afresh.

    Raises ConfigError where not even the encoder fits: then it is another network, not a transfer.
    """
    target_weights = network.state_dict()
    source_weights = source.state_dict()
    adopted: dict[str, Tensor] = {}
    for name, value in target_weights.items():
        candidate = source_weights.get(name)
        if candidate is None or name.startswith(CALIBRATED):
            continue
        if candidate.shape == value.shape:
            adopted[name] = candidate
        elif name.endswith(POSITION):
            rows = torch.arange(len(value)).clip(max=len(candidate) - 1)  # later segments begin as the last one
            adopted[name] = candidate[rows]
    afresh = sorted(set(target_weights) - set(adopted))
    misfit = next((name for name in afresh if ENCODER in name), None)
    require(misfit is None, "warm_start", f"has another encoder ({misfit} has another shape): network settings differ")
    network.load_state_dict(adopted, strict=False)
    return afresh


def freeze(network: Network) -> None:
    """Keep the encoders as they are."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not any(part in f".{name}" for part in (ENCODER, *READING)))


def digest_weights(network: Network) -> str:
    """Return a digest of a network's weights, so that a checkpoint is not continued from another start."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
