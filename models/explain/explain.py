"""Why a forecast is what it is: what each lag, each covariate and each candidate forecast did to it.

Lags and covariates are told by integrated gradients (Sundararajan et al. 2017) of the point forecast before its
levels are ordered and corrected. The path goes from the baseline, a context that is flat at its own level, with
covariates at the mean of the training data and categories that say nothing, to what was observed; the calendar and
the scale of the context are the same along it. Candidates need no gradients: the gates are their shares in the
forecast. captum is used here alone.

Shapes: B windows, T context, H horizon, C temporal and S static covariates, L steps, K candidates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from models.arrays import Floats
from models.data.windows import inputs_of
from models.explain.masking import Parts, Presence
from models.network.network import Network

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
    with torch.backends.cudnn.flags(enabled=False), Presence(network).hooked() as explained:
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
    explained: Presence, ones: tuple[Tensor, ...], arrays: Sequence[Tensor], moved: Tensor, size: Tensor
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
    explained: Presence,
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
    parts: Parts,
) -> Explanation:
    roles = network.config.covariates
    covariates: dict[str, Floats] = {}
    for name, values in zip(network.config.inputs[2:], found[1:], strict=True):
        names = roles.temporal if name == "covariates" else roles.static
        covariates |= {one: _array(values[row, :, k]) for k, one in enumerate(names)}
    lags, ahead, level = _array(found[0][row]), _array(forecast[row]), _array(baseline[row])
    candidates = {
        label: Candidate(_array(weight), _array(forecasts))
        for label, weight, forecasts in parts.of_window(row, len(ahead))
    }
    return Explanation(
        forecast=ahead,
        baseline=level,
        lags=lags,
        covariates=covariates,
        remainder=ahead - level - lags.sum(-1) - sum(covariates.values()),
        candidates=candidates,
        correction=ahead - sum(one.weight * one.forecast for one in candidates.values()),
    )


def _array(values: Tensor) -> Floats:
    found: Floats = values.double().cpu().numpy()
    return found
