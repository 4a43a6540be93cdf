"""Samples: values at times of sources, which their labels name. Protocols of monitoring send them in any order."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.arrays import Floats, Ints

Labels = Mapping[str, str]
NAME = "__name__"
"""the label that holds the name of a metric or measurement"""
Known = Mapping[Hashable, int]
"""what is known of sources, by what their sender writes for their labels"""
FIRST_NEW = -2
"""number of the first source of a body that is not known; what is known of others is greater"""
LONGEST_LABELS = 64 * 1024
"""bytes or characters of a source's labels together"""
MOST_SAMPLES = 500_000
"""of one body, and lines and time series: senders send some thousands"""


class SampleError(ValueError):
    """A body that cannot be read. Its text says where, and what is expected there."""


def check_count(count: int, what: str) -> None:
    """Raise SampleError for a body that has too many of something."""
    if count > MOST_SAMPLES:
        raise SampleError(f"the body has more than {MOST_SAMPLES} {what}; send fewer at once")


@dataclass
class NewSources:
    """The sources of a body that are not known yet. They are numbered from FIRST_NEW down as they come."""

    labels: list[Labels] = field(default_factory=list)
    """of each"""
    numbers: dict[Hashable, int] = field(default_factory=dict)
    """by what their sender writes for the labels"""

    def find(self, key: Hashable) -> int | None:
        """Return the number of a source of this body."""
        return self.numbers.get(key)

    def add(self, key: Hashable, labels: Labels) -> int:
        """Add a source, and return its number."""
        number = FIRST_NEW - len(self.labels)
        self.numbers[key] = number
        self.labels.append(labels)
        return number


@dataclass(frozen=True)
class ReadSamples:
    """The samples (N,) of one body, in its order."""

    sources: Ints
    """what is known of each one's source, or its negative number among the new ones"""
    ts: Ints
    """microseconds UTC"""
    values: Floats
    new: NewSources


def gather_samples(
    sources: Sequence[int], stamps: Sequence[int], values: Sequence[float], new: NewSources
) -> ReadSamples:
    """Return samples (N,). Raises SampleError for a time that is none."""
    try:
        ts = np.array(stamps, np.int64)
    except OverflowError as e:
        raise SampleError("a timestamp is beyond what 64 bits hold; check the precision that was sent") from e
    return ReadSamples(np.array(sources, np.int64), ts, np.array(values, np.float64), new)
