"""The rules of a project as they are applied: which series each source's samples belong to.

A book is of one moment: when rules change, another one takes its place, and sources are matched again as they come.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from app.errors import Invalid
from app.formats.samples import FIRST_NEW, NAME, Labels, ReadSamples
from app.services.durations import parse_duration
from app.services.label_matching import LabelMatcher
from app.services.samples.rules import build_matchers, fill_template, list_places
from app.services.series.ids import MAX_ID, check_id
from app.storage.tables import IngestRule
from models.arrays import Floats, Ints

UNMATCHED = -1
"""the target of a source that no rule takes"""
MOST_SOURCES = 100_000
"""sources that a book remembers"""
LONGEST_SOURCES = 32 << 20
"""characters of their labels"""
LONGEST_LABEL = 200
"""characters of a label of a series, and of its value"""
SHOWN = 100
"""characters of a source's labels that a problem tells"""


class SampleProtocol(Enum):
    """How samples are sent, and so in which way a source's labels are written."""

    remote_write_1 = "remote write 1.0"
    remote_write_2 = "remote write 2.0"
    lines = "line protocol"


@dataclass(frozen=True)
class Rule:
    """A rule as it is applied."""

    pk: int
    order: int
    """its place among the rules by name"""
    matchers: tuple[LabelMatcher, ...]
    freq: str
    aggregate: str
    timezone: str
    template: str
    labels: tuple[str, ...]
    """of a sample, which become the series'"""
    create: bool
    most_series: int
    late: int
    """microseconds"""

    @staticmethod
    def read(row: IngestRule, order: int) -> "Rule":
        """Return a stored rule. Without labels, a series gets those that make its id: they are the same for it all."""
        names = row.labels if row.labels is not None else [n for n in list_places(row.template) if n != NAME]
        return Rule(
            row.pk,
            order,
            build_matchers(row.match),
            row.freq,
            row.aggregate,
            row.timezone,
            row.template,
            tuple(names),
            row.create,
            row.most_series,
            parse_duration(row.late, "late"),
        )


@dataclass(frozen=True)
class SampleTarget:
    """Where the samples of one source go."""

    rule: Rule
    series_id: str
    source: int
    """a digest of its labels: what tells its samples from those of another source of the series"""
    labels: Mapping[str, str]
    """of the series, where it is made"""
    problem: str | None = None
    """why they cannot go anywhere"""


@dataclass(frozen=True)
class SampleBatch:
    """The samples (N,) of one body, by the rules of a book."""

    book: "RuleBook"
    target: Ints
    """places in the book's targets, UNMATCHED where no rule takes a sample"""
    ts: Ints
    """microseconds UTC"""
    values: Floats


@dataclass(eq=False)
class RuleBook:
    """The rules of a project at a moment, and what they say of the sources that were seen. One body at a time is
    located; transactions read `targets` meanwhile, which only grows."""

    revisions: Sequence[tuple[int, int]]
    """(key, revision) of the rules, by name"""
    rules: Sequence[Rule]
    targets: list[SampleTarget] = field(default_factory=list)
    known: dict[SampleProtocol, dict[Hashable, int]] = field(
        default_factory=lambda: {protocol: {} for protocol in SampleProtocol}
    )
    """the target of each source"""
    _size: int = 0

    @staticmethod
    def read(rows: Sequence[IngestRule]) -> "RuleBook":
        """Return the book of stored rules, by name."""
        return RuleBook(
            [(row.pk, row.revision) for row in rows], [Rule.read(row, order) for order, row in enumerate(rows)]
        )

    @property
    def is_full(self) -> bool:
        """Whether another book should take its place, which has seen no source yet."""
        return sum(map(len, self.known.values())) >= MOST_SOURCES or self._size >= LONGEST_SOURCES

    def locate(self, samples: ReadSamples, protocol: SampleProtocol) -> SampleBatch:
        """Return the samples with their targets."""
        new = samples.new
        target = samples.sources
        if new.labels:
            found = self._aim(new.labels)
            self.known[protocol].update(zip(new.numbers, found.tolist(), strict=True))
            self._size += sum(len(text) for labels in new.labels for pair in labels.items() for text in pair)
            is_new = target <= FIRST_NEW
            target[is_new] = found[FIRST_NEW - target[is_new]]
        return SampleBatch(self, target, samples.ts, samples.values)

    def _aim(self, sources: Sequence[Labels]) -> Ints:
        """Return the targets (S,) of new sources: expressions are run once for all of them."""
        found = np.full(len(sources), UNMATCHED)
        left = list(range(len(sources)))
        for rule in self.rules:
            matching = set(left)
            for matcher in rule.matchers:
                values = {at: sources[at].get(matcher.name, "") for at in matching}
                allowed = matcher.select(values.values())
                matching = {at for at, value in values.items() if value in allowed}
            for at in sorted(matching):
                found[at] = len(self.targets)
                self.targets.append(_make_target(rule, sources[at]))
            left = [at for at in left if at not in matching]
        return found


def _make_target(rule: Rule, labels: Labels) -> SampleTarget:
    pairs = sorted(labels.items())
    digest = hashlib.blake2b("\x00".join(text for pair in pairs for text in pair).encode(), digest_size=8).digest()
    source = int.from_bytes(digest, "little", signed=True)
    try:
        series_id = check_id(fill_template(rule.template, labels, MAX_ID))
    except KeyError as e:
        return SampleTarget(rule, "", source, {}, f"{_show(pairs)} has no label {e.args[0]!r}, which `id` names")
    except Invalid as e:
        return SampleTarget(rule, "", source, {}, f"of {_show(pairs)}: {e.detail}")
    own = {name: labels[name] for name in rule.labels if labels.get(name)}
    kept = {name: value for name, value in own.items() if _is_label(name, value)}
    return SampleTarget(rule, series_id, source, kept)


def _is_label(name: str, value: str) -> bool:
    """Say whether a series may have a label."""
    return max(len(name), len(value)) <= LONGEST_LABEL and (name + value).isprintable()


def _show(pairs: Sequence[tuple[str, str]]) -> str:
    """Write labels, in which nothing is left that a database cannot keep."""
    return ("{" + ", ".join(f"{name}={value!r}"[:SHOWN] for name, value in pairs))[:SHOWN] + "}"
