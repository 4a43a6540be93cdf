"""Samples in any order, late, repeated and of many sources make the steps that all of them together make."""

import itertools
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from app.formats.samples import NewSources, ReadSamples
from app.scope import Scope
from app.services.samples import folding
from app.services.samples.book import RuleBook, SampleProtocol
from app.services.samples.closing import close_due
from app.services.samples.rules import RuleRequest, RuleService
from app.services.samples.writing import Outcome, write_samples
from app.services.series.checks import Upload
from app.services.series.observations import ObservationService
from app.services.series.service import SeriesFields, SeriesService
from app.storage import ingest_rules, keys
from app.storage.engine import Database
from app.storage.tables import FedStep
from models.calendar.timestamps import format_stamp

T0 = 1_704_067_200
"""2024-01-01, in seconds"""
ONE = pytest.mark.one_database
Sample = tuple[str, float, float]
"""source, seconds since T0, value"""
ID = "{__name__}"


def rule(**changed: Any) -> RuleRequest:
    fields: dict[str, Any] = {
        "match": {"__name__": "m"},
        "freq": "5min",
        "aggregate": "mean",
        "timezone": "UTC",
        "template": ID,
        "labels": None,
        "create": True,
        "most_series": 1000,
        "late": "1h",
    }
    return RuleRequest(**{**fields, **changed})


class World:
    """A project with rules, into which samples come."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.read() as session:
            self.scope: Scope = keys.get_default_scope(session)
        self.rules = RuleService(database)
        self.series = ObservationService(database)
        self._last: RuleBook | None = None

    def write(self, samples: Sequence[Sample], name: str = "m", fails: bool = False, **labels: str) -> Outcome:
        """Write one body."""
        found = ReadSamples(*self._columns(samples), new := NewSources())
        pairs = sorted(labels.items())
        book = self._book()
        for number, (source, _, _) in enumerate(samples):
            key = (name, source, *pairs)
            known = book.known[SampleProtocol.lines].get(key, new.find(key))
            own = {"__name__": name, "source": source, **labels}
            found.sources[number] = new.add(key, own) if known is None else known
        with self.database.write() as session:
            outcome = write_samples(session, self.scope, [book.locate(found, SampleProtocol.lines)])
            if fails:
                raise RuntimeError
        return outcome

    def _columns(self, samples: Sequence[Sample]) -> tuple[Any, Any, Any]:
        ts = [round((T0 + seconds) * 1_000_000) for _, seconds, _ in samples]
        return np.zeros(len(ts), np.int64), np.array(ts, np.int64), np.array([v for _, _, v in samples], np.float64)

    def _book(self) -> RuleBook:
        with self.database.read() as session:
            fresh = RuleBook.read(ingest_rules.list_all(session, self.scope))
            if self._last is None or self._last.revisions != fresh.revisions:
                self._last = fresh
        return self._last

    def read(self, series_id: str = "m") -> dict[float, float | None]:
        """Return {seconds since T0: value} of the observations, without a step that is being filled."""
        found = self.series.list(self.scope, series_id, None, None, None, 10_000)
        stamps = np.array([text[:-6] for text in found["ds"]], "M8[s]").astype(np.int64) - T0
        return {
            stamp: value
            for stamp, value, ds in zip(stamps.tolist(), found["y"], found["ds"], strict=True)
            if ds != found["provisional"]
        }

    def provisional(self, series_id: str = "m") -> tuple[str, float | None] | None:
        found = self.series.list(self.scope, series_id, None, None, None, 10_000)
        return None if found["provisional"] is None else (found["ds"][-1], found["y"][-1])

    def describe(self, name: str = "r") -> dict[str, Any]:
        return self.rules.get(self.scope, name)

    def steps(self) -> int:
        with self.database.read() as session:
            return session.execute(select(func.count()).select_from(FedStep)).scalar_one()

    def let_time_pass(self) -> int:
        """Close what is open as if its time had come; return how many steps that were."""
        with self.database.write() as session:
            session.execute(update(FedStep).where(FedStep.closes_at.is_not(None)).values(closes_at=1))
        return close_due(self.database)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def compute(kind: str, samples: Sequence[Sample], step: float) -> dict[float, float]:
    """Return {begin of a step: what its samples make}, from the samples alone and one by one."""
    last = {(source, at): value for source, at, value in samples}
    by_step: dict[float, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for (source, at), value in sorted(last.items()):
        by_step[at // step * step][source].append((at, value))
    made = {}
    for begin, sources in by_step.items():
        points = [(at, source, value) for source, some in sources.items() for at, value in some]
        values = [value for _, _, value in points]
        if kind == "rate":
            rates = []
            for source, some in sources.items():
                before = by_step.get(begin - step, {}).get(source, [])[-1:]
                chain = [*before, *some]
                if len(chain) > 1:
                    rise = sum(b - a if b >= a else b for (_, a), (_, b) in itertools.pairwise(chain))
                    rates.append(rise / (chain[-1][0] - chain[0][0]))
            if rates:
                made[begin] = sum(rates)
            continue
        functions = {"mean": np.mean, "sum": np.sum, "min": min, "max": max}
        made[begin] = float(functions[kind](values)) if kind != "last" else max(points)[2]
    return made


@pytest.mark.parametrize("kind", ["mean", "last", "sum", "min", "max", "rate"])
def test_the_order_and_the_repetition_of_samples_do_not_matter(world: World, kind: str) -> None:
    world.rules.put(world.scope, "r", rule(aggregate=kind, late="1h"))
    chance = random.Random(kind)
    samples: list[Sample] = []
    for source in "ab"[: 1 if kind == "last" else 2]:
        counter = 0.0
        for at in range(0, 7200, 20):
            if chance.random() < 0.9:
                counter = counter + chance.randrange(5) if chance.random() < 0.97 else 0.0
                samples.append((source, at + chance.randrange(10), counter))
    # each comes up to 40 minutes late, and one in five twice: as one body after the other brings them
    arriving = [(at + chance.random() * 2400, (source, at, value)) for source, at, value in samples]
    arriving += [(when + 600, sample) for when, sample in arriving if chance.random() < 0.2]
    queue = [sample for _, sample in sorted(arriving)]
    while queue:
        size = chance.randrange(1, 40)
        world.write(queue[:size])
        queue = queue[size:]
    expected = compute(kind, samples, 300)
    open_step = max(expected)
    found = world.read()
    assert found == pytest.approx({at: value for at, value in expected.items() if at != open_step}, abs=1e-9)
    provisional = world.provisional()
    assert provisional is not None
    assert provisional[1] == pytest.approx(expected[open_step])
    rule_now = world.describe()
    assert (rule_now["dropped"], rule_now["series"]) == (0, 1)
    assert rule_now["samples"] == len(arriving)
    assert world.steps() <= 16, "what is older than `late` is forgotten"
    assert world.let_time_pass() == 1
    assert world.read() == pytest.approx(expected, abs=1e-9)
    assert world.provisional() is None


@pytest.mark.parametrize("kind", ["mean", "last", "sum", "min", "max", "rate"])
def test_steps_of_many_samples_are_summarised_and_stay_exact(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "FOLDED_ABOVE", 30)
    world.rules.put(world.scope, "r", rule(aggregate=kind, freq="D", late="10min"))
    chance = random.Random(kind)
    samples: list[Sample] = [("a", at, float(chance.randrange(1000))) for at in range(0, 4 * 86_400, 600)]
    samples += [("a", at + 7, float(chance.randrange(1000))) for at in range(0, 4 * 86_400, 1200)]
    arriving = sorted(samples, key=lambda one: one[1] + chance.random() * 590)
    for start in range(0, len(arriving), 25):
        world.write(arriving[start : start + 25])
    with world.database.read() as session:
        folded = session.execute(select(func.length(FedStep.samples), FedStep.folded)).all()
    assert any(content is not None for _, content in folded)
    assert max(size for size, _ in folded) < 24 * 80, "few samples are kept of a day of 144"
    expected = compute(kind, samples, 86_400)
    del expected[max(expected)]
    assert world.read() == pytest.approx(expected, rel=1e-12)
    assert world.describe()["dropped"] == 0


def test_a_step_that_is_filled_is_shown_and_is_no_observation(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.write([("a", 0, 1.0), ("a", 60, 3.0)])
    assert world.read() == {}
    assert world.provisional() == (format_stamp(T0 * 1_000_000, "UTC"), 2.0)
    row = SeriesService(world.database).get(world.scope, "m")
    assert (row["count"], row["last_ds"], row["version"]) == (0, None, 1)
    world.write([("a", 120, 5.0)])
    assert world.provisional() == (format_stamp(T0 * 1_000_000, "UTC"), 3.0)
    world.write([("a", 300, 7.0)])
    assert world.read() == {0: 3.0}
    row = SeriesService(world.database).get(world.scope, "m")
    assert (row["count"], row["last_ds"], row["version"]) == (1, "2024-01-01T00:00:00+00:00", 2)
    page = world.series.list(world.scope, "m", None, None, None, 1)
    assert (len(page["ds"]), page["provisional"]) == (1, None)
    rest = world.series.list(world.scope, "m", None, None, page["next_cursor"], 1)
    assert (rest["y"], rest["provisional"], rest["next_cursor"]) == ([7.0], rest["ds"][0], None)
    outside = world.series.list(world.scope, "m", None, "2024-01-01T00:05:00Z", None, 10)
    assert (outside["y"], outside["provisional"]) == ([3.0], None)


def test_a_closed_step_takes_late_samples_in(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.write([("a", 0, 2.0)])
    assert world.let_time_pass() == 1
    assert world.read() == {0: 2.0}
    world.write([("a", 30, 4.0)])
    assert world.read() == {0: 3.0}, "at once, since it is an observation already"
    assert world.provisional() is None
    assert world.let_time_pass() == 0


def test_samples_older_than_the_bound_are_dropped_and_change_nothing(world: World) -> None:
    world.rules.put(world.scope, "r", rule(late="10min"))
    world.write([("a", 0, 1.0), ("a", 3000, 2.0)])
    assert world.write([("a", 2400, 9.0)]).taken == 1
    found = world.write([("a", 2399, 9.0), ("a", 60, 9.0)])
    assert (found.taken, found.dropped) == (0, 2)
    assert world.read() == {0: 1.0, 2400: 9.0}
    described = world.describe()
    assert described["dropped"] == 2
    assert "older than the newest" in described["problem"]


def test_a_bound_that_is_raised_does_not_bring_closed_steps_back(world: World) -> None:
    world.rules.put(world.scope, "r", rule(late="10min"))
    for at in range(0, 7200, 60):
        world.write([("a", at, 1.0)])
    world.rules.put(world.scope, "r", rule(late="10h"))
    found = world.write([("a", 90, 100.0), ("a", 5999, 100.0)])
    assert (found.taken, found.dropped) == (0, 2)
    assert set(world.read().values()) == {1.0}
    found = world.write([("a", 7199, 3.0)])
    assert found.taken == 1


def test_a_write_that_is_undone_leaves_nothing(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.write([("a", 0, 1.0)])
    with pytest.raises(RuntimeError):
        world.write([("a", 60, 5.0), ("a", 300, 7.0), ("b", 400, 7.0)], fails=True)
    assert world.read() == {}
    assert world.provisional() == (format_stamp(T0 * 1_000_000, "UTC"), 1.0)
    assert world.describe()["samples"] == 1


def test_days_are_those_of_the_timezone(world: World) -> None:
    world.rules.put(world.scope, "r", rule(freq="D", aggregate="sum", timezone="Europe/Berlin", late="3D"))
    day = 86_400
    # 2024-03-31 has 23 hours there
    start = 89 * day
    samples: list[Sample] = [("a", start + hour * 3600, 1.0) for hour in range(-1, 72)]
    world.write(samples)
    assert list(world.read().values()) == [24.0, 23.0, 24.0]
    found = world.series.list(world.scope, "m", None, None, None, 10)
    assert found["ds"][:2] == ["2024-03-30T00:00:00+01:00", "2024-03-31T00:00:00+01:00"]


@pytest.mark.parametrize(("freq", "ds"), [("MS", "2024-01-01"), ("ME", "2024-01-31"), ("W-MON", "2024-01-01")])
def test_long_steps_have_the_stamps_of_their_frequency(world: World, freq: str, ds: str) -> None:
    world.rules.put(world.scope, "r", rule(freq=freq, aggregate="sum", late="90D"))
    world.write([("a", 86_400.0 * day, 1.0) for day in range(62)])
    found = world.series.list(world.scope, "m", None, None, None, 1)
    assert found["ds"] == [f"{ds}T00:00:00+00:00"]
    assert found["y"] == [7.0 if freq == "W-MON" else 31.0]


def test_many_series_of_several_rules_come_in_one_body(world: World) -> None:
    world.rules.put(world.scope, "a", rule(match={"__name__": "x", "host": "~h[12]"}, template="{__name__}/{host}"))
    world.rules.put(
        world.scope, "b", rule(match={"__name__": "x"}, template="all", freq="h", aggregate="sum", late="2h")
    )
    for host in ("h1", "h2", "h3", "h4"):
        world.write([("s", at, float(at)) for at in range(0, 4000, 100)], "x", host=host)
    found = world.write([("s", 4000, 1.0)], "y", host="h1")
    assert (found.taken, found.unmatched) == (0, 1)
    assert world.read("x/h1") == world.read("x/h2") == {at: at + 100.0 for at in range(0, 3700, 300)}
    assert world.read("all") == {0: 2 * sum(range(0, 3600, 100))}
    described = {name: world.describe(name) for name in "ab"}
    assert [described[name]["series"] for name in "ab"] == [2, 1]
    assert [described[name]["samples"] for name in "ab"] == [80, 80]
    series = SeriesService(world.database)
    assert series.get(world.scope, "x/h1")["labels"] == {"host": "h1"}
    assert series.get(world.scope, "all")["labels"] == {}


def test_the_number_of_series_is_bounded_and_said(world: World) -> None:
    world.rules.put(world.scope, "r", rule(template="{source}", most_series=3))
    found = world.write([(f"s{i}", 0, 1.0) for i in range(5)])
    assert (found.taken, found.dropped) == (3, 2)
    described = world.describe()
    assert (described["series"], described["dropped"]) == (3, 2)
    assert "`limit` is 3" in described["problem"]
    assert world.write([(f"s{i}", 60, 1.0) for i in range(3)]).dropped == 0, "those that are there go on"


def test_without_create_only_series_that_exist_are_fed(world: World) -> None:
    world.rules.put(world.scope, "r", rule(create=False, template="{source}"))
    SeriesService(world.database).create(world.scope, "there", SeriesFields("5min", "UTC", None, None, {}, {}), None)
    found = world.write([("there", 0, 1.0), ("gone", 0, 1.0), ("there", 300, 1.0)])
    assert (found.taken, found.dropped) == (2, 1)
    assert world.read("there") == {0: 1.0}
    assert "'gone'" in world.describe()["problem"]


def test_a_series_of_another_frequency_is_not_touched(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    SeriesService(world.database).create(world.scope, "m", SeriesFields("h", "UTC", None, None, {}, {}), None)
    assert world.write([("a", 0, 1.0)]).dropped == 1
    assert "frequency 'h', and the rule has '5min'" in world.describe()["problem"]


def test_a_series_with_a_grid_of_its_own_is_filled_on_it(world: World) -> None:
    world.rules.put(world.scope, "r", rule(aggregate="sum"))
    SeriesService(world.database).create(world.scope, "m", SeriesFields("5min", "UTC", None, None, {}, {}), None)
    upload = Upload(["2024-01-01T00:02:00Z", "2024-01-01T00:07:00Z"], [1.0, 2.0], {})
    world.series.upsert(world.scope, "m", upload, None)
    world.write([("a", at, 1.0) for at in range(0, 1200, 60)])
    assert world.read() == {-180: 2.0, 120: 5.0, 420: 5.0, 720: 5.0}


def test_after_all_was_deleted_another_phase_may_begin(world: World) -> None:
    world.rules.put(world.scope, "r", rule(aggregate="sum"))
    world.write([("a", 0, 1.0), ("a", 310, 1.0)])
    world.series.delete(world.scope, "m", None, None)
    world.series.upsert(world.scope, "m", Upload(["2024-01-01T00:07:00Z"], [2.0], {}), None)
    world.write([("a", 800, 4.0)])
    assert world.let_time_pass() == 1
    assert world.read() == {420: 2.0, 720: 4.0}


def test_values_that_are_no_numbers_are_dropped_and_marks_of_the_end_are_not_counted(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    stale = float(np.array([0x7FF0000000000002], np.uint64).view(np.float64)[0])
    found = world.write([("a", 0, float("inf")), ("a", 1, float("nan")), ("a", 2, stale), ("a", 3, 1e308)])
    assert (found.taken, found.dropped, found.unmatched) == (1, 2, 0)
    found = world.write([("a", 4, 1e308), ("a", 300, 1.0)])
    assert found.taken == 2
    assert world.read() == {}, "a sum beyond all numbers is none"


def test_times_far_from_now_are_dropped(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    found = world.write([("a", 50 * 365 * 86_400, 1.0), ("a", 0, 1.0), ("a", -2000 * 365.25 * 86_400, 1.0)])
    assert (found.taken, found.dropped) == (1, 2)
    assert world.write([("a", 300, 1.0)]).taken == 1, "the one far ahead has made no other late"


def test_ids_that_no_series_may_have_are_dropped(world: World) -> None:
    world.rules.put(world.scope, "r", rule(template="x/{source}"))
    found = world.write([("observations", 0, 1.0), ("", 0, 1.0), ("ok", 0, 1.0)])
    assert (found.taken, found.dropped) == (1, 2)


def test_a_rule_that_is_deleted_leaves_what_it_made(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.rules.put(world.scope, "s", rule(match={"__name__": "~.*"}, aggregate="max"))
    world.write([("a", 0, 1.0)])
    world.rules.delete(world.scope, "r")
    world.write([("a", 60, 5.0), ("a", 300, 1.0)])
    assert world.read() == {0: 5.0}, "by the rule that matches now, of all samples of the step"
    assert world.describe("s")["series"] == 1


def test_a_series_that_is_deleted_is_made_again(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.write([("a", 0, 1.0), ("a", 300, 1.0)])
    SeriesService(world.database).delete(world.scope, "m")
    assert world.steps() == 0
    world.write([("a", 60, 7.0), ("a", 300, 1.0)])
    assert world.read() == {0: 7.0}


def test_observations_that_are_deleted_do_not_come_back(world: World) -> None:
    world.rules.put(world.scope, "r", rule(aggregate="max"))
    world.write([("a", 0, 999.0), ("a", 310, 500.0)])
    world.series.delete(world.scope, "m", None, None)
    assert (world.read(), world.provisional()) == ({}, None)
    found = world.write([("a", 0, 999.0), ("a", 20, 1.0), ("a", 310, 500.0)])
    assert (found.taken, found.dropped) == (1, 2), "what is sent again is dropped, what is new taken"
    assert world.read() == {0: 1.0}
    world.write([("a", 320, 2.0)])
    assert world.provisional() == ("2024-01-01T00:05:00+00:00", 2.0), "the step is still open"
    world.write([("a", 700, 3.0)])
    assert world.read() == {0: 1.0, 300: 2.0}


@pytest.mark.parametrize("kind", ["mean", "last", "sum", "min", "max", "rate"])
def test_a_step_that_was_emptied_is_filled_as_any_other(world: World, kind: str) -> None:
    world.rules.put(world.scope, "r", rule(aggregate=kind))
    before: list[Sample] = [("a", at, float(at)) for at in range(0, 900, 50)]
    world.write(before)
    world.series.delete(world.scope, "m", None, None)
    after: list[Sample] = [("a", at, float(at % 130)) for at in range(860, 2000, 30)]
    world.write(after)
    expected = compute(kind, [sample for sample in after if sample[1] > 850], 300)
    del expected[max(expected)]
    assert world.read() == pytest.approx(expected)


def test_a_clock_that_is_fast_makes_no_other_late(world: World) -> None:
    world.rules.put(world.scope, "r", rule(late="10min"))
    now = time.time() - T0
    world.write([("fast", now + 3000, 1.0)])
    found = world.write([("right", now - 5, 2.0)])
    assert (found.taken, found.dropped) == (1, 0)


def test_of_several_rules_for_one_series_the_first_by_name_says_how(world: World) -> None:
    world.rules.put(world.scope, "a", rule(match={"host": "h1"}, template="x", aggregate="mean"))
    world.rules.put(world.scope, "b", rule(match={"host": "h2"}, template="x", aggregate="sum"))
    world.write([("s", 0, 3.0)], host="h2")
    assert world.provisional("x") == ("2024-01-01T00:00:00+00:00", 3.0)
    world.write([("s", 10, 1.0)], host="h1")
    assert world.provisional("x") == ("2024-01-01T00:00:00+00:00", 2.0)
    world.write([("s", 20, 5.0)], host="h2")
    assert world.provisional("x") == ("2024-01-01T00:00:00+00:00", 3.0)
    assert [world.describe(name)["series"] for name in "ab"] == [1, 0]
    world.rules.delete(world.scope, "a")
    world.write([("s", 30, 3.0)], host="h2")
    assert world.provisional("x") == ("2024-01-01T00:00:00+00:00", 12.0)


def test_another_frequency_of_a_series_ends_the_step_that_was_filled(world: World) -> None:
    world.rules.put(world.scope, "r", rule(aggregate="sum"))
    world.write([("a", 0, 7.0)])
    SeriesService(world.database).put(world.scope, "m", SeriesFields("h", "UTC", None, None, {}, {}))
    assert world.let_time_pass() == 0
    assert world.read() == {}
    assert world.write([("a", 60, 7.0)]).dropped == 1


def test_labels_with_any_characters_are_told_or_left_out(world: World) -> None:
    world.rules.put(world.scope, "r", rule(template="{source}/{host}"))
    assert world.write([("s", 0, 1.0)]).dropped == 1
    found = world.write([("s", 0, 1.0)], host="a\x00b")
    assert (found.taken, found.dropped) == (0, 1)
    problem = world.describe()["problem"]
    assert problem.isprintable(), problem
    assert world.write([("s", 0, 1.0)], host="x" * 60_000).dropped == 1


def test_a_value_that_is_none_makes_no_series(world: World) -> None:
    world.rules.put(world.scope, "r", rule())
    world.write([("a", 0, float("inf"))])
    assert world.describe()["series"] == 0


@ONE
def test_thousands_of_rates_are_taken_in_at_once(world: World) -> None:
    world.rules.put(world.scope, "r", rule(aggregate="rate", template="{source}", most_series=10_000))
    for at in (0, 200, 400, 650):
        world.write([(f"s{i}", at, float(at * i)) for i in range(4000)])
    assert world.read("s3999") == pytest.approx({0: 3999.0, 300: 3999.0})


def test_many_new_sources_are_matched_together(world: World) -> None:
    for number in range(20):
        world.rules.put(world.scope, f"r{number:02}", rule(match={"source": f"~no.*{number}"}))
    world.rules.put(world.scope, "z", rule(match={"source": "~s[0-9]+", "__name__": "m", "gone": ""}, template="all"))
    assert world.write([(f"s{i}", 0, 1.0) for i in range(20_000)]).taken == 20_000
