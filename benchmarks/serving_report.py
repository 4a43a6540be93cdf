"""Rows of benchmarks.serving: what was measured, its reference in the same run, and the project's target."""

import argparse
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.serving_load import Figures
from benchmarks.serving_servers import Place

NOISY = 0.1
WIDTHS = "{:<46} {:>14} {:>14} {:>8} {:>10}  {}"


@dataclass(frozen=True)
class Options:
    """What the caller chose."""

    seconds: float
    """of each measurement"""
    rounds: int
    connections: tuple[int, ...]
    requests: int
    """of the row `memory`"""
    writes: int
    """of the row `fresh`"""
    data: Path

    @staticmethod
    def of(arguments: argparse.Namespace, data: Path) -> "Options":
        """Read the command line."""
        connections = tuple(arguments.connections)
        return Options(
            arguments.seconds, arguments.rounds, connections, arguments.requests, arguments.writes, data.resolve()
        )


@dataclass(frozen=True)
class Setting:
    """Where a row is measured, and how."""

    place: Place
    options: Options


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is what the target bounds; without a reference it is the figure itself."""

    name: str
    figure: float
    unit: str
    ratio: float
    target: float | None
    """None where the row only tells"""
    bound: Literal["at least", "at most"] = "at least"
    reference: float | None = None
    reference_name: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.bound == "at least" else self.ratio <= self.target

    @property
    def foreign(self) -> float:
        """The largest share of the servers' core that others took while the row was measured."""
        rounds = [one for found in self.more.values() if isinstance(found, list) for one in found]
        return max((one["foreign"] for one in rounds if isinstance(one, dict) and "foreign" in one), default=0.0)

    def line(self) -> str:
        """Return the row of the table."""
        reference = "-" if self.reference is None else f"{_short(self.reference)} {self.unit}"
        target = "-" if self.target is None else f"{'>=' if self.bound == 'at least' else '<='} {_short(self.target)}"
        said = {None: "", True: "met", False: "MISSED"}[self.met]
        about = f"{said} {self.reference_name and 'against ' + self.reference_name}".strip()
        if self.foreign > NOISY:
            about += f"; others took up to {self.foreign:.0%} of the core"
        ratio = "-" if self.reference is None else f"{self.ratio:.3f}"
        return WIDTHS.format(self.name, f"{_short(self.figure)} {self.unit}", reference, ratio, target, about)

    def document(self) -> dict[str, Any]:
        """Return the row for the line of JSON."""
        return {**asdict(self), "met": self.met}


def head() -> str:
    """Return the head of the table."""
    return WIDTHS.format("row", "measured", "reference", "ratio", "target", "")


def told(rounds: list[Figures]) -> list[dict[str, float]]:
    """Return the rounds of one server for the line of JSON."""
    return [
        {
            "rate": round(one.rate, 1),
            "p50_ms": one.p50_ms,
            "p99_ms": one.p99_ms,
            "max_ms": one.max_ms,
            "foreign": round(one.foreign, 3),
            "answer_bytes": round(one.answer_bytes),
            "requests": one.requests,
        }
        for one in rounds
    ]


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
