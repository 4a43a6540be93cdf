"""Explanations of a forecast: the contribution of each lag, each covariate and each candidate forecast.

Lags and covariates are explained by integrated gradients (Sundararajan et al. 2017) of the point forecast before its
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
from models.explain.masking import CandidateShares, MaskedForecast
from models.network.network import Network

FIRST_POINTS = 32
"""points of the path at first, twice as many until what they leave unexplained is small"""
MOST_POINTS = 512
"""points of the path at most; a sharp turn, as in the floors of smoothing models, needs 64 or 128"""
UNEXPLAINED = 0.005
"""largest share of a forecast's move that may stay unexplained; MOST_POINTS ends the search"""
LEAST_MOVED = 0.01
"""scales of a context; a smaller move is not worth more points"""
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
    """One window's point forecast taken apart, in original units, twice:

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
            name: {"weight": candidate.weight.tolist(), "forecast": candidate.forecast.tolist()}
            for name, candidate in self.candidates.items()
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
    config = network.config
    steps = config.horizon if horizon is None else horizon
    device = next(network.parameters()).device
    arrays = [torch.from_numpy(values).to(device) for values in inputs_of(batch, config).values()]
    # one mask for each input but the calendar, which comes second
    ones = tuple(torch.ones_like(values, dtype=torch.float32) for values in (arrays[0], *arrays[2:]))
    masked = MaskedForecast(network)
    network.eval()
    # cuDNN's recurrences have no gradients outside of training
    with torch.backends.cudnn.flags(enabled=False):
        with torch.no_grad():
            baseline = masked(*(torch.zeros_like(mask) for mask in ones), *arrays)[:, :steps]
            forecast = masked(*ones, *arrays)[:, :steps]
            shares = masked.shares()
        moved = forecast - baseline
        size = _sizes(moved, masked.scale())
        contributions = _integrate(masked, ones, arrays, moved, size)
    return [_explanation(network, row, forecast, baseline, contributions, shares) for row in range(len(forecast))]


def _sizes(moved: Tensor, scale: Tensor) -> Tensor:
    """Return what is large for each window and step, (B, H): what moved it, or its steps in the mean."""
    return torch.maximum(torch.maximum(moved.abs(), moved.abs().mean(-1, keepdim=True)), LEAST_MOVED * scale)


def _integrate(
    masked: MaskedForecast, ones: tuple[Tensor, ...], arrays: Sequence[Tensor], moved: Tensor, size: Tensor
) -> list[Tensor]:
    """Return the contributions to each step by as many points of the path as it needs.

    Those of lags are (B, H, T), those of covariates (B, H, C), the steps of each together.
    """
    windows, steps = (index.flatten() for index in torch.where(torch.ones_like(moved, dtype=torch.bool)))  # (B * H,)
    at_once = max(1, STEPS_AT_ONCE // ones[0].shape[1])
    widths = [mask.shape[-1] for mask in ones]
    shape = moved.shape
    totals = [torch.zeros(*shape, width, dtype=torch.float64, device=moved.device) for width in widths]
    points = FIRST_POINTS
    while len(windows):
        is_left: list[Tensor] = []
        for window, step in zip(torch.split(windows, at_once), torch.split(steps, at_once), strict=True):
            contributions = _attribute(masked, ones, arrays, window, step, points, at_once)
            for total, contribution in zip(totals, contributions, strict=True):
                total[window, step] = contribution
            unexplained = (moved[window, step] - sum(contribution.sum(-1) for contribution in contributions)).abs()
            is_left.append(unexplained > UNEXPLAINED * size[window, step])
        again = torch.cat(is_left) & (points < MOST_POINTS)
        windows = windows[again]
        steps = steps[again]
        points *= 2
    return totals


def _attribute(
    masked: MaskedForecast,
    ones: tuple[Tensor, ...],
    arrays: Sequence[Tensor],
    window: Tensor,
    step: Tensor,
    points: int,
    at_once: int,
) -> list[Tensor]:
    """Return the contributions to some steps (R,) of some windows (R,): (R, T), (R, C) by so many points."""
    present = tuple(mask[window] for mask in ones)
    attributions = IntegratedGradients(masked, multiply_by_inputs=True).attribute(
        present,
        baselines=tuple(torch.zeros_like(mask) for mask in present),
        target=step.tolist(),
        additional_forward_args=tuple(values[window] for values in arrays),
        n_steps=points,
        method="gausslegendre",
        internal_batch_size=at_once,
    )
    # temporal covariates (R, T + H, C) are summed over their steps
    return [values.double().sum(1) if values.ndim == 3 else values.double() for values in attributions]


def _explanation(
    network: Network,
    row: int,
    forecast: Tensor,
    baseline: Tensor,
    contributions: Sequence[Tensor],
    shares: CandidateShares,
) -> Explanation:
    """Return the explanation of one window: forecast and baseline (B, H), contributions (B, H, T) and (B, H, C)."""
    roles = network.config.covariates
    covariates: dict[str, Floats] = {}
    for name, values in zip(network.config.inputs[2:], contributions[1:], strict=True):
        names = roles.temporal if name == "covariates" else roles.static
        covariates |= {column: _array(values[row, :, k]) for k, column in enumerate(names)}
    lags = _array(contributions[0][row])
    point = _array(forecast[row])
    level = _array(baseline[row])
    candidates = {
        label: Candidate(_array(weight), _array(forecasts))
        for label, weight, forecasts in shares.average(row, len(point))
    }
    return Explanation(
        forecast=point,
        baseline=level,
        lags=lags,
        covariates=covariates,
        remainder=point - level - lags.sum(-1) - sum(covariates.values()),
        candidates=candidates,
        correction=point - sum(candidate.weight * candidate.forecast for candidate in candidates.values()),
    )


def _array(values: Tensor) -> Floats:
    array: Floats = values.double().cpu().numpy()
    return array
