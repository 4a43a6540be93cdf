"""What a soak changes and asks for, and the judgement on every answer."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tests.e2e.caller import Caller, Reply
from tests.e2e.truth import Reference, Timeline, Values
from tests.trained import LEVELS, Trained

SIDES = ("left", "right")
SHORTEST, LONGEST = 150, 220
"""values of a series"""
ABSENT = {"series_not_found", "no_history"}
ARROW = "application/vnd.apache.arrow.stream"

Kind = Literal["trained", "other"]
Version = tuple[int, Kind]
"""its number, and which network it is"""
State = tuple[Values | None, Values | None]
"""of a pair; None is no series, or one without values"""


class Wrong(AssertionError):
    """An answer that no state between its request's begin and end explains."""


@dataclass(frozen=True)
class Group:
    """Two series that are written together."""

    number: int
    steady: bool
    """is never deleted"""
    states: Timeline[State]

    @property
    def ids(self) -> tuple[str, str]:
        """The series."""
        return (f"pair/{self.number}/left", f"pair/{self.number}/right")


@dataclass
class World:
    """The truth about everything that the service holds."""

    references: dict[Kind, Reference]
    groups: list[Group]
    champions: dict[str, Timeline[Version | None]]
    """by model; None is no model, or one without a champion"""
    versions: Timeline[frozenset[Version]]
    """of the model `m`"""
    offers: set[str] = field(default_factory=set)
    """parts of the contract that the service has: etag, csv, arrow, labels, together"""

    @staticmethod
    def of(trained: Trained, other: Trained, pairs: int) -> "World":
        """Return a world of which nothing exists yet but the truth."""
        draw = random.Random(0)
        groups = [Group(i, i % 2 == 0, Timeline[State](tuple(fresh(draw) for _ in SIDES))) for i in range(pairs)]  # type: ignore[arg-type]
        references: dict[Kind, Reference] = {"trained": Reference(trained, LEVELS), "other": Reference(other, LEVELS)}
        champions = {"m": Timeline[Version | None](None), "gone": Timeline[Version | None](None)}
        return World(references, groups, champions, Timeline(frozenset()))

    def judge(
        self, model: str, asked: Sequence[tuple[Group, int]], horizon: int, reply: Reply, upto: int | None = None
    ) -> int:
        """Return how many versions and states were possible where the answer is one of them. Raises Wrong.

        `asked`: each series by its group and side; `upto`: the values of a series that the request's origin lets see.
        """
        possible = self.possible(model, reply)
        if reply.status in {404, 409}:
            if None not in possible:
                raise Wrong(f"{model}: {reply.status} {reply.body[:300]!r}, but it had a champion")
            return len(possible)
        answer = decoded(reply)
        candidates = [one for one in possible if one is not None and answer["version"] in {one[0], None}]
        states = {group: group.states.possible(reply.begin, reply.end) for group, _ in asked}
        told = {one["series_id"]: one for one in answer["forecasts"]}
        if len(told) != len(asked):
            raise Wrong(f"{len(asked)} series were asked for, {len(told)} answered")
        for version in candidates:
            if all(self._seen(version[1], group, asked, told, states[group], horizon, upto) for group in states):
                return len(candidates) * max(len(one) for one in states.values())
        seen = [[one and (str(one.origin), one.y[-1]) for one in state] for found in states.values() for state in found]
        off = self._off(candidates, asked, told, states, upto)
        raise Wrong(
            f"{model}: version {answer['version']} of {possible}: {_short(told)} is none of {seen}; nearest {off}"
        )

    def _off(
        self,
        candidates: list[Version],
        asked: Sequence[tuple[Group, int]],
        told: dict[str, Any],
        states: dict[Group, list[State]],
        upto: int | None,
    ) -> dict[str, float]:
        """Return how far each series' forecast is from the nearest one that was possible."""
        found = {}
        for group, side in asked:
            series_id = group.ids[side]
            held = [Values(state[side].y[:upto]) for state in states[group] if state[side] is not None]
            ways = [self.references[kind].forecast(series_id, one) for _, kind in candidates for one in held]
            found[series_id] = min(
                (one.off(told[series_id]) for one in ways if "yhat" in told[series_id]), default=-1.0
            )
        return found

    def possible(self, model: str, reply: Reply) -> list[Version | None]:
        """Return the versions that may have answered; None is an error in place of a forecast."""
        name, _, number = model.partition("@")
        if not number:
            return self.champions[name].possible(reply.begin, reply.end)
        held = self.versions.possible(reply.begin, reply.end)
        found = [next((one for one in versions if one[0] == int(number)), None) for versions in held]
        return list(dict.fromkeys(found))

    def judge_sent(self, model: str, series_id: str, values: Values, reply: Reply) -> int:
        """The same for a series that was sent along."""
        possible = self.possible(model, reply)
        if reply.status in {404, 409}:
            if None not in possible:
                raise Wrong(f"{model}: {reply.status} {reply.body[:300]!r}, but it had a champion")
            return len(possible)
        answer = decoded(reply)
        (told,) = answer["forecasts"]
        for version in possible:
            if (
                version is not None
                and version[0] == answer["version"]
                and self._is(version[1], series_id, values, told)
            ):
                return len(possible)
        raise Wrong(f"{model}: version {answer['version']} of {possible} forecasts what was sent otherwise")

    def _seen(
        self,
        kind: Kind,
        group: Group,
        asked: Sequence[tuple[Group, int]],
        told: dict[str, Any],
        states: list[State],
        horizon: int,
        upto: int | None,
    ) -> bool:
        """Say whether the forecasts of a group's series are all of one of its states."""
        sides = [side for other, side in asked if other is group]
        if any(len(told[group.ids[side]].get("yhat", ())) not in {0, horizon} for side in sides):
            return False
        cut = [tuple(one and Values(one.y[:upto]) for one in state) for state in states]
        return any(all(self._is(kind, group.ids[i], state[i], told[group.ids[i]]) for i in sides) for state in cut)

    def _is(self, kind: Kind, series_id: str, values: Values | None, told: dict[str, Any]) -> bool:
        if values is None:
            return told["status"] == "error" and told["error"]["code"] in ABSENT
        whole = told["status"] == "ok" and not told["stale"] and not told["fallback"]
        return whole and self.references[kind].forecast(series_id, values).is_in(told)


def fresh(draw: random.Random) -> Values:
    """Return the values of a new series."""
    n, level = draw.randint(SHORTEST, LONGEST), draw.uniform(5, 50)
    return Values(tuple(round(level * (1 + 0.3 * np.sin(2 * np.pi * t / 24)) + draw.gauss(0, 1), 3) for t in range(n)))


def decoded(reply: Reply) -> dict[str, Any]:
    """Read an answer in any of its formats as JSON's; a table may say no version. Raises Wrong for another status."""
    if reply.status != 200:
        raise Wrong(f"{reply.status} {reply.body[:300]!r}")
    kind = reply.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        found: dict[str, Any] = reply.json()
        return found
    import pandas as pd
    import pyarrow as pa

    if kind == ARROW:
        table = pa.ipc.open_stream(io.BytesIO(reply.body)).read_all().to_pandas()
    elif kind == "text/csv":
        table = pd.read_csv(io.BytesIO(reply.body))
    else:
        raise Wrong(f"an answer of the type {kind!r}")
    told = reply.headers.get("x-model-version", "").rpartition("@")[2]
    version = int(told) if told else None
    return {"version": version, "forecasts": [_of_table(str(i), part) for i, part in table.groupby("unique_id")]}


def _of_table(series_id: str, part: Any) -> dict[str, Any]:
    import pandas as pd

    stamps = pd.to_datetime(part["ds"], utc=True).dt.tz_localize(None).to_numpy("datetime64[s]")
    return {
        "series_id": series_id,
        "status": "ok",
        "stale": False,
        "fallback": False,
        "origin": str(stamps[0] - np.timedelta64(1, "h")),
        "ds": [str(t) for t in stamps],
        "yhat": part["yhat"].to_numpy(np.float64),
        "quantiles": {str(q): part[f"q{q}"].to_numpy(np.float64) for q in LEVELS},
    }


def _short(told: dict[str, Any]) -> list[Any]:
    return [one.get("error") or (one["origin"], one["yhat"][0]) for one in told.values()]


def offers(caller: Caller, url: str, group: Group) -> set[str]:
    """Return the parts of the contract that the service has; `m` has a champion and the group is stored."""

    def asked(series: object, accept: str = "application/json") -> Reply:
        return caller.ask(url, "POST", "/forecast", {"model": "m", "series": series}, accept=accept)

    ids = list(group.ids)
    tagged = caller.ask(url, "GET", f"/forecast?model=m&series={ids[0]}").headers
    found = {"etag"} if "etag" in tagged else set()
    for name, kind in (("csv", "text/csv"), ("arrow", ARROW)):
        reply = asked(ids, kind)
        found |= {name} if reply.headers.get("content-type", "").startswith(kind) else set()
    found |= {"labels"} if asked({"labels": {"pair": str(group.number)}}).status == 200 else set()
    routes = caller.ask(url, "GET", "/openapi.json").json()["paths"]
    return found | ({"together"} if "/observations" in routes else set())
