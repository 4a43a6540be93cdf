"""Days and weeks in steps, for models whose horizon is one block of a season that repeats.

What the calibrated forecast (`models.network.calibrated`) reads is told by these alone.
"""

from dataclasses import dataclass
from math import ceil

from models.calendar.frequency import parse_frequency
from models.calendar.timestamps import DAY
from models.config.network import NetworkConfig

DAYS_A_WEEK = 7
LEAST_RECENT = 3
"""days before the origin that are read whole; electricity prices' linear models read as many (Lago et al. 2021)"""


@dataclass(frozen=True)
class Blocks:
    """A horizon as a block of steps within days and weeks."""

    day: int
    """steps of a day"""
    week: int
    """steps of a week"""
    days: int
    """days that the horizon touches, counted from its first step"""

    @property
    def recent(self) -> int:
        """Steps before the origin that are read whole."""
        return max(LEAST_RECENT, self.days) * self.day


def find_blocks(frequency: str, horizon: int, network: NetworkConfig) -> Blocks | None:
    """Return the blocks of a model; None where steps are no part of a day, or a week is not within its reach.

    The context must hold a week, and the horizon may not be longer than one.
    """
    parsed = parse_frequency(frequency)
    if parsed.kind != "tick" or parsed.step >= DAY or DAY % parsed.step:
        return None
    day = DAY // parsed.step
    blocks = Blocks(day=day, week=DAYS_A_WEEK * day, days=ceil(horizon / day))
    has_seasons = {blocks.day, blocks.week} <= set(network.season_lengths)
    has_room = max(blocks.week, blocks.recent) <= network.members[0].context_length
    return blocks if has_seasons and has_room and horizon <= blocks.week else None
