"""The rules of a project as they are applied: which series each source's samples belong to."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from app.errors import Invalid
from app.formats.samples import NAME, Labels, SourceTable
from app.services.durations import parse_duration
from app.services.label_matching import LabelMatcher
from app.services.samples.rules import build_matchers, fill_template, list_places
from app.services.series.ids import check_id
from app.storage.tables import IngestRule
from models.arrays import Ints

UNMATCHED = -1
"""the target of a source that no rule takes"""
LONGEST_LABEL = 200
"""characters of a label of a series, and of its value"""
SHOWN = 100
"""characters of a source's labels that a problem tells"""


@dataclass(frozen=True)
class Rule:
    """A rule as it is applied."""

    pk: int
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
    def read(row: IngestRule) -> "Rule":
        """Return a stored rule. Without labels, a series gets those that make its id: they are the same for it all."""
        names = row.labels if row.labels is not None else [n for n in list_places(row.template) if n != NAME]
        return Rule(
            row.pk,
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

    def matches(self, labels: Labels) -> bool:
        """Say whether it takes the samples of a source."""
        return all(matcher.matches(labels.get(matcher.name, "")) for matcher in self.matchers)


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


class RuleBook:
    """The rules of a project at a moment, and what they say of the sources that were seen."""

    def __init__(self, revisions: Sequence[tuple[int, int]], rows: Sequence[IngestRule]) -> None:
        self.revisions = list(revisions)
        """(key, revision) of the rules, by name"""
        self.rules = [Rule.read(row) for row in rows]
        self.targets: list[SampleTarget] = []
        self._found: WeakKeyDictionary[SourceTable[Any], list[int]] = WeakKeyDictionary()

    def find_targets(self, table: SourceTable[Any]) -> Ints:
        """Return the target, by its place in `targets`, of each slot of a table (S,); UNMATCHED where there is none."""
        found = self._found.setdefault(table, [])
        for slot in range(len(found), len(table.keys)):
            found.append(self._find_target(table.read_labels(slot)))
        return np.array(found, np.int64)

    def _find_target(self, labels: Labels) -> int:
        rule = next((rule for rule in self.rules if rule.matches(labels)), None)
        if rule is None:
            return UNMATCHED
        self.targets.append(_aim(rule, labels))
        return len(self.targets) - 1


def _aim(rule: Rule, labels: Labels) -> SampleTarget:
    pairs = sorted(labels.items())
    digest = hashlib.blake2b("\x00".join(text for pair in pairs for text in pair).encode(), digest_size=8).digest()
    source = int.from_bytes(digest, "little", signed=True)
    try:
        series_id = check_id(fill_template(rule.template, labels))
    except KeyError as e:
        return SampleTarget(rule, "", source, {}, f"{_show(pairs)} has no label {e.args[0]!r}, which `id` names")
    except Invalid as e:
        return SampleTarget(rule, "", source, {}, f"of {_show(pairs)}: {e.detail}")
    own = {name: labels[name] for name in rule.labels if labels.get(name)}
    return SampleTarget(rule, series_id, source, {name: value for name, value in own.items() if _is_label(name, value)})


def _is_label(name: str, value: str) -> bool:
    """Say whether a series may have a label."""
    return max(len(name), len(value)) <= LONGEST_LABEL and (name + value).isprintable()


def _show(pairs: Sequence[tuple[str, str]]) -> str:
    return ("{" + ", ".join(f'{name}="{value}"' for name, value in pairs))[:SHOWN] + "}"
