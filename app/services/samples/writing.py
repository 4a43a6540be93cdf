"""One transaction of samples: rules say whose they are, their series are locked or made, and their steps filled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import ErrorCode, Unreadable
from app.formats.samples import SampleBatch
from app.scope import Scope
from app.services.durations import SECOND_US
from app.services.samples.book import UNMATCHED, Rule, RuleBook, SampleTarget
from app.services.samples.filling import FedBy, Filling, LocatedSamples
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


@dataclass(frozen=True)
class _Samples:
    """Samples (N,) with their targets' places in the book."""

    target: Ints
    ts: Ints
    values: Floats

    def select(self, kept: NDArray[np.bool_]) -> "_Samples":
        return _Samples(self.target[kept], self.ts[kept], self.values[kept])


def write_samples(session: Session, scope: Scope, book: RuleBook, batches: Sequence[SampleBatch]) -> Outcome:
    """Take in the samples of some bodies. Raises Unreadable where the project has no rules."""
    if not book.rules:
        raise Unreadable(ErrorCode.no_ingest_rules, NO_RULES)
    write = _Write(session, scope, book)
    write.run(_gather(book, batches))
    return write.outcome


def _gather(book: RuleBook, batches: Sequence[SampleBatch]) -> _Samples:
    """Return the samples of all bodies, without the marks of a series' end."""
    tables = {id(batch.table): batch.table for batch in batches}
    found = {key: book.find_targets(table) for key, table in tables.items()}
    target = np.concatenate([found[id(batch.table)][batch.slots] for batch in batches])
    values = np.concatenate([batch.values for batch in batches])
    samples = _Samples(target, np.concatenate([batch.ts for batch in batches]), values)
    return samples.select(values.view(np.uint64) != STALE)


class _Write:
    """The walk of samples through one transaction."""

    def __init__(self, session: Session, scope: Scope, book: RuleBook) -> None:
        self._session = session
        self._scope = scope
        self._book = book
        self._moment = now(session)
        self._tallies = _Tallies()
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
        ingest_rules.add_tallies(self._session, self._tallies.build(), self._moment)
        self.outcome.taken = self._tallies.taken.total()
        self.outcome.dropped = self._tallies.dropped.total()

    def _drop(self, samples: _Samples, is_bad: NDArray[np.bool_], problem: str) -> _Samples:
        """Count bad samples, and return the others."""
        if not is_bad.any():
            return samples
        places, counts = np.unique(samples.target[is_bad], return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            target = self._book.targets[place]
            self._tallies.drop(target.rule, count, f"a sample of {target.series_id!r} was dropped: {problem}")
        return samples.select(~is_bad)

    def _fill(self, samples: _Samples) -> None:
        places, inverse, counts = np.unique(samples.target, return_inverse=True, return_counts=True)
        targets = [self._book.targets[place] for place in places.tolist()]
        fed, problems = self._find_series(targets)
        for target, count in zip(targets, counts.tolist(), strict=True):
            problem = problems.get(id(target))
            if problem is not None:
                self._tallies.drop(target.rule, count, problem)
        pks = np.array([fed[t.series_id].row.pk if id(t) not in problems else -1 for t in targets], np.int64)
        kept = samples.select(pks[inverse] >= 0)
        if not len(kept.ts):
            return
        inverse = inverse[pks[inverse] >= 0]
        rules = np.array([target.rule.pk for target in targets], np.int64)[inverse]
        sources = np.array([target.source for target in targets], np.int64)[inverse]
        filling = Filling(self._session, list(fed.values()), self._moment)
        is_late = filling.run(LocatedSamples(pks[inverse], sources, kept.ts, kept.values))
        self._drop(kept, is_late, "it is older than the newest by more than `late`, and its step is closed")
        taken, counts = np.unique(rules[~is_late], return_counts=True)
        self._tallies.taken.update(dict(zip(taken.tolist(), counts.tolist(), strict=True)))

    def _find_series(self, targets: Sequence[SampleTarget]) -> tuple[dict[str, FedBy], dict[int, str]]:
        """Return {id: the locked series} of targets, and {id(target): why its samples go nowhere}.

        Series that are missing are made, where the rule says so and as many as it may have.
        """
        problems = {id(target): target.problem for target in targets if target.problem is not None}
        wanted = {target.series_id: target for target in targets if target.problem is None}
        stored = ingest_rules.lock_series(self._session, self._scope, wanted)
        missing = [target for series_id, target in wanted.items() if series_id not in stored]
        refused = self._make(missing, stored) if missing else {}
        fed: dict[str, FedBy] = {}
        for target in targets:
            row = stored.get(target.series_id)
            if id(target) in problems:
                continue
            if row is None:
                problems[id(target)] = refused[target.series_id]
            elif row.freq != target.rule.freq and not is_of_frequency(row, target.rule.freq):
                problems[id(target)] = (
                    f"the series {row.id!r} exists with frequency {row.freq!r}, and the rule has {target.rule.freq!r}: "
                    "give the rule its frequency, or let `id` name other series"
                )
            elif row.id not in fed:
                if row.anchor is None:
                    row.anchor = find_anchor(target.rule.freq, row.timezone)
                    ingest_rules.set_anchor(self._session, row.pk, row.anchor)
                fed[row.id] = FedBy(row, target.rule)
        return fed, problems

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
        if made:
            series.insert_many(self._session, self._scope, made)
            stored.update(ingest_rules.lock_series(self._session, self._scope, [str(one["id"]) for one in made]))
        return refused
