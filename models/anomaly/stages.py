"""Stages of learning: what is learned from the past is learned anew when twice as much has been seen.

So it costs twice one learning of all, whatever the length, and nothing depends on how many steps come. Shapes: N steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

FIRST = 100
"""steps before anything is learned"""


@dataclass(frozen=True)
class Stage:
    """Steps [learned, end) are judged by what the first `learned` steps had."""

    learned: int
    end: int


def list_stages(count: int) -> Iterator[Stage]:
    """List the stages of `count` steps; the first ones are in none."""
    learned = FIRST
    while learned < count:
        yield Stage(learned, min(2 * learned, count))
        learned *= 2
