"""Blocks of the pretrained network: recurrences and gated perceptrons, each added to what it reads.

Shapes: W width.
"""

import torch
from torch import Tensor, nn


class ResidualRecurrence(nn.Module):
    """x + LSTM(norm(x)), then x + gated perceptron(norm(x)): (B, N, W) -> (B, N, W), or (B, P, W) of some steps."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.perceptron = GatedPerceptron(width, inner)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """kept (P,): steps that are wanted; None: all of them."""
        states, _ = self.cell(self.norm(x))
        states = x + states
        mixed: Tensor = self.perceptron(states if kept is None else states.index_select(1, kept))
        return mixed


class GatedPerceptron(nn.Module):
    """x + down(silu(gate(norm(x))) * up(norm(x))): (..., W) -> (..., W). Shazeer 2020, SwiGLU."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(self.norm(x)).chunk(2, dim=-1)
        added: Tensor = self.down(torch.nn.functional.silu(gate) * value)
        return x + added
