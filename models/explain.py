"""Why a forecast is what it is: what each lag, each covariate and each candidate forecast did to it.

Lags and covariates are told by integrated gradients (Sundararajan et al. 2017) of the point forecast before its
levels are ordered and corrected. The path goes from the baseline, a context that is flat at its own level, with
covariates at the mean of the training data and categories that say nothing, to what was observed; the calendar and
the scale of the context are the same along it. Candidates need no gradients: the gates are their shares in the
forecast. captum is used here alone.

Shapes: B windows, T context, H horizon, C temporal and S static covariates, L steps, K candidates.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor, nn

from models.head import Choice, Head
from models.inputs import Context, CovariateFeatures, CovariateNumbers, Normalise
from models.network import Member, Network
from models.reading import Reader
from models.windows import inputs_of

Floats = NDArray[np.float64]
Hook = Callable[..., Any]

FIRST_POINTS, MOST_POINTS = 32, 512
"""points of the path: twice as many until what they leave unexplained is small"""
UNEXPLAINED = 0.005
"""of what moved a forecast, at most; MOST_POINTS ends the search"""
LEAST_MOVED = 0.01
"""scales of a context, less than which is not worth more points"""
STEPS_AT_ONCE = 1 << 16
"""steps of contexts in one pass through the network"""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A classical forecast that the gates choose from."""

    weight: Floats
    """(H,) its share"""
    forecast: Floats
    """(H,) in original units"""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What made one window's point forecast, in original units, twice:

    forecast = baseline + sum of lags + sum of covariates + remainder;
    forecast = sum of weight * forecast of the candidates + correction.
    """

    forecast: Floats
    """(H,) before levels are ordered, corrected and bounded"""
    baseline: Floats
    """(H,) forecast of a flat context without covariates"""
    lags: Floats
    """(H, T) contribution of each observed value, 0 where it is missing"""
    covariates: Mapping[str, Floats]
    """(H,) of each covariate, all of its steps together"""
    remainder: Floats
    """(H,) what the numerical integration leaves over"""
    candidates: Mapping[str, Candidate]
    """by name; without `network.basis` there are none"""
    correction: Floats
    """(H,) what the network adds to them"""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        candidates = {
            name: {"weight": one.weight.tolist(), "forecast": one.forecast.tolist()}
            for name, one in self.candidates.items()
        }
        return {
            "forecast": self.forecast.tolist(),
            "baseline": self.baseline.tolist(),
            "lags": self.lags.tolist(),
            "covariates": {name: values.tolist() for name, values in self.covariates.items()},
            "remainder": self.remainder.tolist(),
            "candidates": candidates,
            "correction": self.correction.tolist(),
        }


def explain(network: Network, batch: Mapping[str, Any], horizon: int | None = None) -> list[Explanation]:
    """Explain the first `horizon` steps (all by default) of each window's forecast; `batch` is of arrays (B, ...)."""
    config, steps = network.config, network.config.horizon if horizon is None else horizon
    device = next(network.parameters()).device
    arrays = [torch.from_numpy(values).to(device) for values in inputs_of(batch, config).values()]
    ones = tuple(torch.ones_like(one, dtype=torch.float32) for one in (arrays[0], *arrays[2:]))
    network.eval()
    # cuDNN's recurrences have no gradients outside of training
    with torch.backends.cudnn.flags(enabled=False), _Explained(network).hooked() as explained:
        with torch.no_grad():
            baseline = explained(*(torch.zeros_like(one) for one in ones), *arrays)[:, :steps]
            forecast = explained(*ones, *arrays)[:, :steps]
            parts = explained.parts()
        moved = forecast - baseline
        size = _sizes(moved, explained.scale())
        told = _integrated(explained, ones, arrays, moved, size)
    return [_explanation(network, row, forecast, baseline, told, parts) for row in range(len(forecast))]


def _sizes(moved: Tensor, scale: Tensor) -> Tensor:
    """Return what is large for each window and step, (B, H): what moved it, or its steps in the mean."""
    return torch.maximum(torch.maximum(moved.abs(), moved.abs().mean(-1, keepdim=True)), LEAST_MOVED * scale)


def _integrated(
    explained: "_Explained", ones: tuple[Tensor, ...], arrays: Sequence[Tensor], moved: Tensor, size: Tensor
) -> list[Tensor]:
    """Return the contributions to each step by as many points of the path as it needs: of lags (B, H, T), and of each
    covariate (B, H, C), its steps together."""
    windows, steps = (index.flatten() for index in torch.where(torch.ones_like(moved, dtype=torch.bool)))
    at_once = max(1, STEPS_AT_ONCE // ones[0].shape[1])
    widths = [one.shape[-1] for one in ones]
    told = [torch.zeros(*moved.shape, width, dtype=torch.float64, device=moved.device) for width in widths]
    points = FIRST_POINTS
    while len(windows):
        left = []
        for window, step in zip(torch.split(windows, at_once), torch.split(steps, at_once), strict=True):
            found = _attributed(explained, ones, arrays, window, step, points, at_once)
            for all_of_them, one in zip(told, found, strict=True):
                all_of_them[window, step] = one
            unexplained = (moved[window, step] - sum(one.sum(-1) for one in found)).abs()
            left.append(unexplained > UNEXPLAINED * size[window, step])
        again = torch.cat(left) & (points < MOST_POINTS)
        windows, steps, points = windows[again], steps[again], 2 * points
    return told


def _attributed(
    explained: "_Explained",
    ones: tuple[Tensor, ...],
    arrays: Sequence[Tensor],
    window: Tensor,
    step: Tensor,
    points: int,
    at_once: int,
) -> list[Tensor]:
    """Return the contributions to some steps (R,) of some windows (R,): (R, T), (R, C) by so many points."""
    present = tuple(one[window] for one in ones)
    found = IntegratedGradients(explained, multiply_by_inputs=True).attribute(
        present,
        baselines=tuple(torch.zeros_like(one) for one in present),
        target=step.tolist(),
        additional_forward_args=tuple(values[window] for values in arrays),
        n_steps=points,
        method="gausslegendre",
        internal_batch_size=at_once,
    )
    return [one.double().sum(1) if one.ndim == 3 else one.double() for one in found]


def _explanation(
    network: Network,
    row: int,
    forecast: Tensor,
    baseline: Tensor,
    found: Sequence[Tensor],
    parts: "_Parts",
) -> Explanation:
    roles = network.config.covariates
    covariates: dict[str, Floats] = {}
    for name, values in zip(network.config.inputs[2:], found[1:], strict=True):
        names = roles.temporal if name == "covariates" else roles.static
        covariates |= {one: _array(values[row, :, k]) for k, one in enumerate(names)}
    lags, ahead, level = _array(found[0][row]), _array(forecast[row]), _array(baseline[row])
    candidates = parts.candidates(row, len(ahead))
    return Explanation(
        forecast=ahead,
        baseline=level,
        lags=lags,
        covariates=covariates,
        remainder=ahead - level - lags.sum(-1) - sum(covariates.values()),
        candidates=candidates,
        correction=ahead - sum(one.weight * one.forecast for one in candidates.values()),
    )


@dataclass
class _Parts:
    """Weights (B, H, K) and forecasts (B, H, K) in original units of each member's candidates, by label."""

    weights: dict[str, list[Tensor]] = field(default_factory=dict)
    forecasts: dict[str, list[Tensor]] = field(default_factory=dict)
    members: int = 1

    def add(self, labels: Sequence[str], weights: Tensor, forecasts: Tensor) -> None:
        for k, label in enumerate(labels):
            self.weights.setdefault(label, []).append(weights[..., k].double())
            self.forecasts.setdefault(label, []).append(forecasts[..., k])

    def candidates(self, row: int, steps: int) -> dict[str, Candidate]:
        """Return those of one window: the members' mean shares, and the forecasts that these were given to."""
        found = {}
        for label, weights in self.weights.items():
            shares = torch.stack([one[row, :steps] for one in weights])
            ahead = torch.stack([one[row, :steps] for one in self.forecasts[label]])
            total = shares.sum(0)
            mean = torch.where(total > 0, (shares * ahead).sum(0) / total.clip(1e-300), ahead.mean(0))
            found[label] = Candidate(_array(total / self.members), _array(mean))
        return found


class _Explained:
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
    def hooked(self) -> Iterator["_Explained"]:
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

    def parts(self) -> _Parts:
        """Return what the candidates were in the last call."""
        found = _Parts(members=len(self.network.members))
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


def _array(values: Tensor) -> Floats:
    found: Floats = values.double().cpu().numpy()
    return found
