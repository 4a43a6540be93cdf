"""One transaction of samples: rules say whose they are, their series are locked or made, and their steps filled."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Unreadable
from app.scope import Scope
from app.services.durations import SECOND_US
from app.services.quotas import hold_quota
from app.services.samples.book import UNMATCHED, Rule, SampleBatch, SampleTarget
from app.services.samples.filling import FedBy, Filling
from app.services.samples.steps import find_anchor
from app.services.series.checks import is_of_frequency
from app.storage import ingest_rules, series
from app.storage.clock import now
from app.storage.ingest_rules import LockedSeries, Tally
from models.arrays import Floats, Ints
from models.calendar.timestamps import EARLIEST

HOUR_US = 3600 * SECOND_US
FARTHEST_AHEAD = HOUR_US
"""a sample may lie in the future by so much: after one far ahead, of a wrong clock, all others would be late"""
STALE = 0x7FF0000000000002
"""bits of the NaN with which Prometheus marks the end of a series: it is no sample"""
NO_RULES = (
    "this project has no ingest rules, so that no sample could become a series; set one: PUT /ingest/rules/NAME "
    '{"match": {"__name__": "node_load1"}, "freq": "5min", "aggregate": "mean", "id": "{__name__}/{instance}"}'
)


@dataclass
class Outcome:
    """What became of samples."""

    taken: int = 0
    dropped: int = 0
    unmatched: int = 0
    """dropped because no rule matches"""


@dataclass
class _Tallies:
    """Counts by rule."""

    taken: Counter[int] = field(default_factory=Counter)
    dropped: Counter[int] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)

    def drop(self, rule: Rule, count: int, problem: str) -> None:
        """Count samples of a rule that are dropped, and say why."""
        if count:
            self.dropped[rule.pk] += count
            self.problems[rule.pk] = problem

    def build(self) -> dict[int, Tally]:
        """Return what was counted."""
        rules = self.taken.keys() | self.dropped.keys()
        return {pk: Tally(self.taken[pk], self.dropped[pk], self.problems.get(pk)) for pk in rules}


class RulesChanged(Exception):
    """The rules are others than those by which a body was read: it has to be read again."""


@dataclass(frozen=True)
class _Samples:
    """Samples (N,) with the places of their targets."""

    target: Ints
    ts: Ints
    values: Floats

    def select(self, kept: NDArray[np.bool_]) -> "_Samples":
        return _Samples(self.target[kept], self.ts[kept], self.values[kept])


def write_samples(session: Session, scope: Scope, batches: Sequence[SampleBatch]) -> Outcome:
    """Take in the samples of some bodies. Raises Unreadable where the project has no rules, and RulesChanged."""
    revisions = ingest_rules.lock_revisions(session, scope)
    if not revisions:
        raise Unreadable(ErrorCode.no_ingest_rules, NO_RULES)
    if any(batch.book.revisions != revisions for batch in batches):
        raise RulesChanged
    targets: list[SampleTarget] = []
    parts: list[_Samples] = []
    for book in {id(batch.book): batch.book for batch in batches}.values():
        mine = [batch for batch in batches if batch.book is book]
        samples = _Samples(*(np.concatenate([getattr(b, name) for b in mine]) for name in ("target", "ts", "values")))
        places, inverse = np.unique(samples.target, return_inverse=True)
        known = [book.targets[place] for place in places.tolist() if place != UNMATCHED]
        shift = len(targets) - (len(places) - len(known))  # the place of those that no rule takes comes first
        parts.append(
            _Samples(np.where(samples.target == UNMATCHED, UNMATCHED, inverse + shift), samples.ts, samples.values)
        )
        targets += known
    samples = _Samples(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("target", "ts", "values")))
    write = _Write(session, scope, targets, batches[0].book.rules)
    write.run(samples.select(samples.values.view(np.uint64) != STALE))
    return write.outcome


class _Write:
    """The walk of samples through one transaction."""

    def __init__(self, session: Session, scope: Scope, targets: Sequence[SampleTarget], rules: Sequence[Rule]) -> None:
        self._session = session
        self._scope = scope
        self._targets = targets
        self._rules = {rule.pk: rule for rule in rules}
        self._moment = now(session)
        self._tallies = _Tallies()
        self._added = {"series": 0, "observations": 0}
        self.outcome = Outcome()

    def run(self, samples: _Samples) -> None:
        """Write samples, and count what became of them."""
        matched = samples.select(samples.target != UNMATCHED)
        self.outcome.unmatched = len(samples.ts) - len(matched.ts)
        sound = self._drop(matched, ~np.isfinite(matched.values), "its value is not finite")
        latest = self._moment + FARTHEST_AHEAD
        sound = self._drop(sound, sound.ts > latest, "its time lies more than an hour in the future; check the clocks")
        sound = self._drop(sound, sound.ts < EARLIEST, "its time lies before the year 1000; check the precision")
        if len(sound.ts):
            self._fill(sound)
            hold_quota(self._session, self._scope, **self._added)
        ingest_rules.add_tallies(self._session, self._tallies.build(), self._moment)
        self.outcome.taken = self._tallies.taken.total()
        self.outcome.dropped = self._tallies.dropped.total()

    def _drop(self, samples: _Samples, is_bad: NDArray[np.bool_], problem: str) -> _Samples:
        """Count bad samples, and return the others."""
        if not is_bad.any():
            return samples
        for target, count in self._count(samples.target[is_bad]):
            self._tallies.drop(target.rule, count, f"a sample of {target.series_id!r} was dropped: {problem}")
        return samples.select(~is_bad)

    def _count(self, target: Ints) -> Iterator[tuple[SampleTarget, int]]:
        places, counts = np.unique(target, return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            yield self._targets[place], count

    def _fill(self, samples: _Samples) -> None:
        """Take sound samples into the steps of their series."""
        present = [self._targets[place] for place in np.unique(samples.target).tolist()]
        fed, problems = self._find_series(present)
        for target, count in self._count(samples.target):
            problem = problems.get(id(target))
            if problem is not None:
                self._tallies.drop(target.rule, count, problem)
        if not fed:
            return
        filling = Filling(self._session, list(fed.values()), self._moment)
        keys = {id(t): fed[t.series_id].row.pk for t in present if id(t) not in problems}
        pk = np.array([keys.get(id(target), -1) for target in self._targets], np.int64)
        place = np.searchsorted(filling.pk, pk)
        sources = np.array([target.source for target in self._targets], np.int64)
        kept = samples.select(pk[samples.target] >= 0)
        before = sum(one.row.count for one in fed.values())
        is_late = filling.run(place[kept.target], sources[kept.target], kept.ts, kept.values)
        self._added["observations"] = sum(one.row.count for one in fed.values()) - before
        taken = self._drop(kept, is_late, "it is older than the newest by more than `late`, or was deleted")
        for target, count in self._count(taken.target):
            self._tallies.taken[target.rule.pk] += count

    def _find_series(self, targets: Sequence[SampleTarget]) -> tuple[dict[str, FedBy], dict[int, str]]:
        """Return {id: the locked series} of targets, and {id(target): why its samples go nowhere}.

        Series that are missing are made, where the rule says so and as many as it may have. Of several rules that feed
        one series, the first by name says how.
        """
        problems = {id(target): target.problem for target in targets if target.problem is not None}
        first: dict[str, SampleTarget] = {}
        for target in sorted(targets, key=lambda one: one.rule.order):
            if target.problem is None:
                first.setdefault(target.series_id, target)
        stored = ingest_rules.lock_series(self._session, self._scope, first)
        missing = [target for series_id, target in first.items() if series_id not in stored]
        refused = self._make(missing, stored) if missing else {}
        rules = self._choose_rules({stored[i].pk: target.rule for i, target in first.items() if i in stored})
        fed: dict[str, FedBy] = {}
        for series_id, row in stored.items():
            rule = rules[row.pk]
            if row.freq != rule.freq and not is_of_frequency(row, rule.freq):
                refused[series_id] = (
                    f"the series {row.id!r} exists with frequency {row.freq!r}, and the rule has {rule.freq!r}: "
                    "give the rule its frequency, or let `id` name other series"
                )
                continue
            if row.anchor is None:
                row.anchor = find_anchor(row.freq, row.timezone)
                ingest_rules.set_anchor(self._session, row.pk, row.anchor)
            fed[series_id] = FedBy(row, rule)
        problems |= {id(t): refused[t.series_id] for t in targets if t.series_id in refused}
        return fed, problems

    def _choose_rules(self, rules: Mapping[int, Rule]) -> dict[int, Rule]:
        """Return {series_pk: the rule that feeds it}: the first by name of that which has fed it, while it exists, and
        that which brings samples now."""
        known = ingest_rules.load_fed(self._session, list(rules))
        chosen = {}
        for pk, rule in rules.items():
            before = self._rules.get(known.get(pk) or 0, rule)
            chosen[pk] = min(before, rule, key=lambda one: one.order)
        changed = {pk: rule.pk for pk, rule in chosen.items() if known.get(pk) != rule.pk}
        ingest_rules.store_fed(self._session, changed)
        return chosen

    def _make(self, missing: Sequence[SampleTarget], stored: dict[str, LockedSeries]) -> dict[str, str]:
        """Make series, add them to those that are stored, and return {id: why it was not made} of the others."""
        counts = ingest_rules.count_series(self._session, {target.rule.pk for target in missing})
        refused: dict[str, str] = {}
        made = []
        for target in missing:
            rule = target.rule
            if not rule.create:
                refused[target.series_id] = f"there is no series {target.series_id!r}, and `create` is false; make it"
            elif counts[rule.pk] >= rule.most_series:
                refused[target.series_id] = (
                    f"the rule feeds {counts[rule.pk]} series, and its `limit` is {rule.most_series}, so that "
                    f"{target.series_id!r} was not made; raise it, or let `id` or `match` tell fewer apart"
                )
            else:
                counts[rule.pk] += 1
                anchor = find_anchor(rule.freq, rule.timezone)
                fields = {"id": target.series_id, "freq": rule.freq, "timezone": rule.timezone, "anchor": anchor}
                made.append(fields | {"labels": dict(target.labels), "static": {}})
        self._added["series"] = len(made)
        if made:
            series.insert_many(self._session, self._scope, made)
            stored.update(ingest_rules.lock_series(self._session, self._scope, [str(one["id"]) for one in made]))
        return refused
