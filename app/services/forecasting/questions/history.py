"""How far back earlier forecasts of a series reach."""

from models.config.model import Config
from models.inference.replay import find_spacing

MOST_ORIGINS = 64
"""earlier forecasts of a series at most"""
PARTS = 4
"""origins in a horizon at most: windows that overlap more say much the same"""


def find_template_spacing(config: Config) -> int:
    """Return the steps between two origins."""
    return max(find_spacing(config), -(-config.horizon // PARTS))


def count_history_steps(config: Config, most: int = MOST_ORIGINS) -> int:
    """Return the steps before a context that so many earlier forecasts read."""
    return most * find_template_spacing(config) + config.horizon
