"""What a pretraining does: lengths of its windows, sizes of its batches, and its learning rate at each step."""

from dataclasses import dataclass, field
from math import sqrt

from models.network.pretrained.network import PretrainedConfig

CONTEXTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
"""steps known before the first position that is trained"""
CONTEXT_SHARES = (0.05, 0.05, 0.06, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.11, 0.11, 0.11)
"""share of batches of each: a sixth below 48, else yearly data suffer, and a third so long that they hold weeks of
hours"""
LONGEST_SPAN = 256
"""steps after `known` at which positions may lie"""
MOST_POSITIONS = 10
"""trained in each window"""
BLANK = 0.3
"""share of batches in which segments are left empty, for longer horizons"""
LONGEST_BLANK = 24
"""segments"""
WARM = 0.05
"""share of steps in which the learning rate rises"""
FLAT = 0.6
"""share in which it stays, before it falls as one less a square root"""
LEAST_RATE = 1e-5


@dataclass(frozen=True, kw_only=True)
class PretrainingPlan:
    """All that decides what comes of a pretraining, but the machine."""

    steps: int
    """of the optimiser"""
    network: PretrainedConfig = field(default_factory=PretrainedConfig)
    segments: int = 12_288
    """in a batch, of all its windows"""
    rate: float = 2e-3
    """largest learning rate"""
    decay: float = 0.01
    """weight decay"""
    average: float = 0.999
    """of the averaged weights, kept from step to step"""
    seed: int = 0
    left_out: tuple[str, ...] = ()
    """names of families of series that it is not trained on, to see what they are good for"""

    def compute_rate(self, step: int) -> float:
        """Compute the learning rate of a step, 0 for the first."""
        done = (step + 1) / self.steps
        if done <= WARM:
            return self.rate * done / WARM
        if done <= WARM + FLAT:
            return self.rate
        falling = (done - WARM - FLAT) / (1 - WARM - FLAT)
        return max(LEAST_RATE, self.rate * (1 - sqrt(min(1.0, falling))))

    def count_windows(self, known: int) -> int:
        """Count the windows of a batch whose contexts have so many known steps."""
        return max(1, self.segments * self.network.segment // measure_window(known, self.network.horizon))


def measure_span(known: int) -> int:
    """Return how many steps after the known ones positions may lie at."""
    return min(known, LONGEST_SPAN)


def measure_window(known: int, horizon: int) -> int:
    """Return the steps of a window: known ones, those of the positions, and the horizon after the last."""
    return known + measure_span(known) + horizon
