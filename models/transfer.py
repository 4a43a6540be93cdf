"""Training that begins from another trained network: on other series, another horizon, with its encoder frozen or not.

What another horizon gives another shape (candidates' gates, the linear forecast) begins afresh; the recurrences, the
scales of covariates and all else of one shape are taken over.
"""

import dataclasses
import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from models.config import Config
from models.defaults import choose
from models.network import Network
from models.options import ConfigError, checked, require
from models.series import Panel

RATE = 0.3
"""Learning rate, as a share of what a fresh network gets"""
ENCODER = ".encoder."
POSITION = ".decoder.position"


def transferred(
    source: Config,
    panel: Panel,
    horizon: int | None = None,
    *,
    freeze_encoder: bool = False,
    bounds: tuple[float | None, float | None] = (None, None),
    training: Mapping[str, object] | None = None,
) -> Config:
    """Choose the configuration of a training on `panel` that begins from a network of `source`.

    Network, levels, covariates, loss and country stay; the rest is chosen from the amount of new data, at a lower
    rate. Raises ConfigError for data of another frequency, and for overrides that the network could not follow.
    """
    given = dict(training or {})
    checked_training = checked(type(source.training), given, "training")
    require(
        checked_training.get("loss", source.training.loss) == source.training.loss,
        "training.loss",
        f"must stay {source.training.loss}: the network's outputs are made for it",
    )
    if panel.frequency.alias != source.frequency:
        raise ConfigError("frequency", f"must stay {source.frequency}: the series' is {panel.frequency.alias}")
    lengths = [len(one.y) for one in panel.series]
    network = {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(source.network).items()}
    loss: dict[str, object] = {"loss": source.training.loss}
    steps = source.horizon if horizon is None else horizon
    fresh = choose(panel.frequency, steps, source.quantiles, lengths, network, {**given, **loss}, source.country)
    rate = checked_training.get("learning_rate", RATE * fresh.training.learning_rate)
    return dataclasses.replace(
        fresh,
        training=dataclasses.replace(fresh.training, learning_rate=rate, freeze_encoder=freeze_encoder),
        covariates=source.covariates,
        bounds=bounds,
        nonnegative=not any(bool((one.y < 0).any()) for one in panel.series),
    )


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
