"""The point forecast of a network as a function of how present each of its inputs is.

Shapes: B windows, T context, H horizon, C temporal and S static covariates, L steps, K candidates.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from models.network.head import Choice, Head
from models.network.inputs import Context, CovariateFeatures, CovariateNumbers, Normalise
from models.network.network import Member, Network
from models.network.reader import Reader

Hook = Callable[..., Any]


@dataclass
class Parts:
    """Weights (B, H, K) and forecasts (B, H, K) in original units of each member's candidates, by label."""

    weights: dict[str, list[Tensor]] = field(default_factory=dict)
    forecasts: dict[str, list[Tensor]] = field(default_factory=dict)
    members: int = 1

    def add(self, labels: Sequence[str], weights: Tensor, forecasts: Tensor) -> None:
        for k, label in enumerate(labels):
            self.weights.setdefault(label, []).append(weights[..., k].double())
            self.forecasts.setdefault(label, []).append(forecasts[..., k])

    def of_window(self, row: int, steps: int) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Return label, weight (steps,) and forecast (steps,) of each candidate of one window: the members' mean
        shares, and the forecasts that these were given to."""
        for label, weights in self.weights.items():
            shares = torch.stack([one[row, :steps] for one in weights])
            ahead = torch.stack([one[row, :steps] for one in self.forecasts[label]])
            total = shares.sum(0)
            mean = torch.where(total > 0, (shares * ahead).sum(0) / total.clip(1e-300), ahead.mean(0))
            yield label, total / self.members, mean


class Presence:
    """The point forecast as a function of how present each input is: 0 its baseline, 1 as it was observed.

    Hooks scale what the network makes of its inputs, so that the path is straight where it reads them.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.presences: dict[str, Tensor] = {}
        self.heads: dict[Head, tuple[Tensor, Choice | None]] = {}
        self.contexts: dict[Reader, Context] = {}

    def __call__(self, *given: Tensor) -> Tensor:
        """Return the point forecast (B, H): presences of lags (B, T), temporal (B, T + H, C) and static covariates
        (B, S), then the network's inputs."""
        names = self.network.config.inputs
        count = len(names) - 1
        kinds = ["lags", *names[2:]]
        self.presences = dict(zip(kinds, given[:count], strict=True))
        context, quantiles = self.network.scaled(**dict(zip(names, given[count:], strict=True)))
        return quantiles[..., self.network.median] * context.scale + context.loc

    @contextmanager
    def hooked(self) -> Iterator["Presence"]:
        """Put the hooks into the network for as long as it is explained."""
        with ExitStack() as stack:
            for module, hook in self._hooks():
                stack.callback(module.register_forward_hook(hook).remove)
            yield self

    def scale(self) -> Tensor:
        """Return the scale (B, 1) of the last call's contexts."""
        first = self.network.readers[0]
        assert isinstance(first, Reader)
        return self.contexts[first].scale

    def parts(self) -> Parts:
        """Return what the candidates were in the last call."""
        found = Parts(members=len(self.network.members))
        for member, place in zip(self.network.members, self.network.places, strict=True):
            assert isinstance(member, Member)
            parts, choice = self.heads[member.head]
            reader = self.network.readers[place]
            assert isinstance(reader, Reader)
            if choice is not None:
                context = self.contexts[reader]
                ahead = choice.found.double() * context.scale[..., None] + context.loc[..., None]
                found.add(member.head.labels, member.head.weights(parts, choice), ahead)
        return found

    def _hooks(self) -> Iterator[tuple[nn.Module, Hook]]:
        for reader in self.network.readers:
            assert isinstance(reader, Reader)
            yield reader.normalise, self._of_context(reader)
            yield reader.covariates, self._of_numbers("covariates")
            yield reader.static, self._of_numbers("static")
        for member in self.network.members:
            assert isinstance(member, Member)
            yield from self._of_categories("covariates", member.covariates)
            yield from self._of_categories("static", member.static)
            yield member.head, self._of_head(member.head)

    def _of_context(self, reader: Reader) -> Hook:
        def hook(module: Normalise, _: object, context: Context) -> Context:
            present = self.presences["lags"][:, -context.z.shape[1] :]
            filled = module.filled(context.z * context.observed * present, context.observed)
            self.contexts[reader] = context._replace(z=filled)
            return self.contexts[reader]

        return hook

    def _of_numbers(self, kind: str) -> Hook:
        def hook(module: CovariateNumbers, _: object, numbers: Tensor) -> Tensor:
            present = self._last(kind, numbers.shape[1])[..., module.columns]
            return numbers * torch.cat([present, present, torch.ones_like(present)], dim=-1)

        return hook

    def _of_categories(self, kind: str, features: CovariateFeatures) -> Iterator[tuple[nn.Module, Hook]]:
        for (column, _), vectors in zip(features.categorical, features.vectors, strict=True):

            def hook(_: nn.Module, __: object, found: Tensor, column: int = column) -> Tensor:
                return found * self._last(kind, found.shape[1])[..., column, None]

            yield vectors, hook

    def _of_head(self, head: Head) -> Hook:
        def hook(_: nn.Module, given: tuple[Tensor, Choice | None], __: object) -> None:
            self.heads[head] = given

        return hook

    def _last(self, kind: str, steps: int) -> Tensor:
        """Return the presences of the last steps: (B, L, C)."""
        found = self.presences[kind]
        return found[:, None] if kind == "static" else found[:, -steps:]
