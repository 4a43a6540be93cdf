"""Forecasts that are taken while versions are promoted and observations written: each is wholly of one state."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.caller import Caller, Reply
from tests.e2e.conftest import seasonal, stamps
from tests.e2e.processes import Service
from tests.e2e.truth import Expected, Reference, Timeline, Values
from tests.trained import LEVELS, Trained, publish

PAIR = ("left", "right")
SWAPS, WRITES, READERS = 30, 60, 4
N = 160

State = tuple[Values, Values]


@pytest.fixture
def urls(service: Service, settings: Settings, trained: Trained, other: Trained) -> list[str]:
    """Two API processes; the model `m` has two versions, the first one serves."""
    service.environment |= {"GATECAST_REPLAY_WINDOWS": "0"}  # the references are graphs alone
    database = Database(settings.database)
    settings = settings.model_copy(update={"data_dir": service.folder / "data"})
    publish(database, settings, trained)
    publish(database, settings, other, promoted=False)
    database.dispose()
    found = [service.serve(f"api{i}") for i in range(2)]
    for series_id in PAIR:
        service.call("POST", "/series", {"id": series_id, "freq": "h"})
    for url in found:
        for version in (1, 2):  # both are loaded: while one is being loaded, the one before may serve on
            history = {"left": {"ds": stamps(N), "y": seasonal(N)}}
            service.call("POST", "/forecast", {"model": f"m@{version}", "history": history}, url=url)
    return found


def changed(state: State, draw: random.Random) -> State:
    """Return the pair with one more value each, or with another last value each."""
    if draw.random() < 0.5:
        return tuple(Values((*one.y, round(draw.uniform(5, 40), 3))) for one in state)  # type: ignore[return-value]
    return tuple(Values((*one.y[:-1], round(draw.uniform(5, 40), 3))) for one in state)  # type: ignore[return-value]


def write(caller: Caller, url: str, state: State, *, whole: bool = False) -> None:
    """Write the last values of both series, or all of them, in one transaction."""
    lines = ["unique_id,ds,y"]
    for series_id, one in zip(PAIR, state, strict=True):
        ds = one.ds()[slice(None) if whole else slice(-1, None)]
        lines += [f"{series_id},{t},{y}" for t, y in zip(ds, one.y[-len(ds) :], strict=True)]
    reply = caller.ask(url, "POST", "/series/import?freq=h", "\n".join(lines).encode(), content_type="text/csv")
    assert reply.status == 200, reply.body


def while_reading(urls: list[str], change: Callable[[Caller], None], check: Callable[[Reply], None]) -> int:
    """Forecast the pair from several threads until the changes are made; return how many forecasts were checked."""
    over, failures, counts = threading.Event(), list[str](), [0] * READERS

    def read(number: int) -> None:
        draw = random.Random(number)
        try:
            with Caller(urls) as caller:
                while not over.is_set():
                    check(caller.ask(draw.choice(urls), "POST", "/forecast", {"model": "m", "series": list(PAIR)}))
                    counts[number] += 1
        except Exception as e:
            failures.append(repr(e))
            over.set()

    threads = [threading.Thread(target=read, args=(i,)) for i in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        with Caller(urls) as caller:
            change(caller)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    return sum(counts)


def matches(told: list[dict[str, Any]], expected: list[Expected]) -> bool:
    """Say whether all forecasts of an answer are these."""
    return all(e.is_in(one) and not one["stale"] for e, one in zip(expected, told, strict=True))


@pytest.mark.long
def test_a_forecast_belongs_to_a_version_that_served(urls: list[str], trained: Trained, other: Trained) -> None:
    references = {1: Reference(trained, LEVELS), 2: Reference(other, LEVELS)}
    state: State = (Values(tuple(seasonal(N, 1))), Values(tuple(seasonal(N, 2))))
    with Caller(urls) as caller:
        write(caller, urls[0], state, whole=True)
    expected = {n: [r.forecast(i, one) for i, one in zip(PAIR, state, strict=True)] for n, r in references.items()}
    assert expected[1][0].differs(expected[2][0])
    champion = Timeline(1)

    def promote(caller: Caller) -> None:
        for i in range(SWAPS):
            version = 2 - i % 2
            with champion.change(version):
                reply = caller.ask(urls[i % 2], "PUT", "/models/m/champion", {"version": version})
            assert reply.status == 200, reply.body

    def check(reply: Reply) -> None:
        assert reply.status == 200, reply.body
        answer = reply.json()
        assert answer["version"] in champion.possible(reply.begin, reply.end)
        assert matches(answer["forecasts"], expected[answer["version"]]), answer["version"]

    assert while_reading(urls, promote, check) > SWAPS


def test_a_forecast_sees_a_write_whole_or_not_at_all(urls: list[str], trained: Trained) -> None:
    reference, draw = Reference(trained, LEVELS), random.Random(0)
    first: State = (Values(tuple(seasonal(N, 1))), Values(tuple(seasonal(N, 2))))
    with Caller(urls) as caller:
        write(caller, urls[0], first, whole=True)
    states = Timeline(first)

    def forecasts(state: State) -> list[Expected]:
        return [reference.forecast(i, one) for i, one in zip(PAIR, state, strict=True)]

    def rewrite(caller: Caller) -> None:
        for _ in range(WRITES):
            before, state = states.now, changed(states.now, draw)
            assert all(a.differs(b) for a, b in zip(forecasts(before), forecasts(state), strict=True))
            with states.change(state):
                write(caller, draw.choice(urls), state)

    def check(reply: Reply) -> None:
        assert reply.status == 200, reply.body
        possible = states.possible(reply.begin, reply.end)
        found = [matches(reply.json()["forecasts"], forecasts(state)) for state in possible]
        assert any(found), [(one["origin"], one["yhat"][0]) for one in reply.json()["forecasts"]]

    assert while_reading(urls, rewrite, check) > WRITES


def test_what_is_judged_would_be_seen(trained: Trained, other: Trained) -> None:
    """A forecast of an earlier state, of another version or of parts of two is told from the right one."""
    first, second = Reference(trained, LEVELS), Reference(other, LEVELS)
    old, new = Values(tuple(seasonal(N, 1))), Values((*seasonal(N, 1)[:-1], 50.0))
    right = first.forecast("left", new)
    for wrong in (first.forecast("left", old), second.forecast("left", new)):
        told = {"origin": f"{wrong.origin}+00:00", "yhat": wrong.yhat.tolist(), "ds": []}
        told["ds"] = Values(new.y + (0.0,) * len(wrong.yhat)).ds(len(new.y))
        told["quantiles"] = {str(q): wrong.quantiles[:, i].tolist() for i, q in enumerate(LEVELS)}
        assert wrong.is_in(told)
        assert not right.is_in(told)
        told["yhat"] = right.yhat.tolist()
        assert not right.is_in(told), "its quantiles are another's"
    timeline = Timeline("a")
    with timeline.change("b"):
        pass
    with timeline.change("c"):
        assert timeline.possible(float("inf"), float("inf")) == ["b", "c"]
    assert timeline.possible(float("inf"), float("inf")) == ["c"]
