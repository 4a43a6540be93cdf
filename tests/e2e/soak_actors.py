"""Who changes what a service holds during a soak: writers of observations, and who makes and promotes versions."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.caller import Caller, Reply
from tests.e2e.soak_world import LONGEST, SHORTEST, Group, Kind, State, World, Wrong, fresh
from tests.e2e.truth import Values
from tests.trained import Trained, publish

REMEMBERED_SECONDS = 180.0
MOST_VERSIONS = 5
SWITCH_SECONDS = 2.5
"""for which a process may answer by the version before, while it loads the new champion"""


class Actor(Protocol):
    """Does one thing after another; counts them."""

    said: Counter[str]
    pause: float
    """seconds before each"""

    def step(self, caller: Caller) -> None:
        """Do one thing. Raises Wrong."""


def insist(caller: Caller, url: str, method: str, path: str, body: object, said: Counter[str], **headers: str) -> Reply:
    """Ask until the service can answer; it may say for a minute when to come again. Raises Wrong for another error."""
    deadline = time.monotonic() + 60
    while True:
        reply = caller.ask(url, method, path, body, **headers)
        if reply.status < 400:
            return reply
        if not announced(reply, said) or time.monotonic() > deadline:
            raise Wrong(f"{method} {path}: {reply.status} {reply.body[:300]!r}")
        time.sleep(float(reply.headers["retry-after"]))


def announced(reply: Reply, said: Counter[str]) -> bool:
    """Say whether an answer is the 503 that says when to come again; it is counted by its code."""
    if reply.status != 503 or "retry-after" not in reply.headers:
        return False
    said[f"503 {reply.json().get('code')}"] += 1
    return True


@dataclass
class Writer:
    """Changes the series of its groups."""

    world: World
    groups: list[Group]
    draw: random.Random
    said: Counter[str] = field(default_factory=Counter)
    pause: float = 0.0

    def step(self, caller: Caller) -> None:
        """Change a pair in one of the ways."""
        group = self.draw.choice(self.groups)
        group.states.forget(time.monotonic() - REMEMBERED_SECONDS)
        left, right = group.states.now
        if left is None or right is None:
            self.both(caller, group, (fresh(self.draw), fresh(self.draw)), "made again")
            return
        ways = [self._append, self._append, self._rewrite, self._rewrite, self._alone, self._cut]
        self.draw.choice(ways if group.steady else [*ways, self._delete])(caller, group, (left, right))

    def both(self, caller: Caller, group: Group, state: tuple[Values, Values], what: str, first: int = 0) -> None:
        """Write values from the `first` on of both series, in one transaction."""
        url = self.draw.choice(caller.urls)
        self.said[what] += 1
        with group.states.change(state):
            if what != "made again" and "together" in self.world.offers:
                parts = zip(group.ids, state, strict=True)
                series = {i: {"ds": one.ds()[first:], "y": list(one.y[first:])} for i, one in parts}
                insist(caller, url, "POST", "/observations", {"series": series}, self.said)
                return
            rows = [
                f"{i},{t},{y}"
                for i, one in zip(group.ids, state, strict=True)
                for t, y in list(zip(one.ds(), one.y, strict=True))[first:]
            ]
            table = "\n".join(["unique_id,ds,y", *rows]).encode()
            insist(caller, url, "POST", "/series/import?freq=h", table, self.said, content_type="text/csv")

    def _append(self, caller: Caller, group: Group, state: tuple[Values, Values]) -> None:
        if max(len(one.y) for one in state) >= LONGEST:
            self._cut(caller, group, state)
            return
        left, right = (Values((*one.y, self._value())) for one in state)
        self.both(caller, group, (left, right), "appended", -1)

    def _rewrite(self, caller: Caller, group: Group, state: tuple[Values, Values]) -> None:
        at = -self.draw.randint(1, 60)
        left, right = (Values((*one.y[:at], self._value(), *one.y[len(one.y) + at + 1 :])) for one in state)
        self.both(caller, group, (left, right), "rewritten", at)

    def _alone(self, caller: Caller, group: Group, state: tuple[Values, Values]) -> None:
        side, url = self.draw.randrange(2), self.draw.choice(caller.urls)
        one = state[side]
        new = Values((*one.y[:-1], self._value()))
        self.said["one rewritten"] += 1
        with group.states.change(_with(state, side, new)):
            body = {"ds": new.ds(len(new.y) - 1), "y": [new.y[-1]]}
            insist(caller, url, "POST", f"/series/{group.ids[side]}/observations", body, self.said)

    def _cut(self, caller: Caller, group: Group, state: tuple[Values, Values]) -> None:
        """Delete the newest values of each series, one after the other."""
        self.said["cut"] += 1
        now: State = state
        for side, one in enumerate(state):
            if len(one.y) <= SHORTEST:
                continue
            length = self.draw.randint(SHORTEST - 20, len(one.y) - 1)
            now = _with(now, side, Values(one.y[:length]))
            start = one.ds(length)[0].replace("+", "%2B")
            with group.states.change(now):
                path = f"/series/{group.ids[side]}/observations?start={start}"
                insist(caller, self.draw.choice(caller.urls), "DELETE", path, None, self.said)

    def _delete(self, caller: Caller, group: Group, state: tuple[Values, Values]) -> None:
        self.said["series deleted"] += 2
        now: State = state
        for side, series_id in enumerate(group.ids):
            now = _with(now, side, None)
            with group.states.change(now):
                insist(caller, self.draw.choice(caller.urls), "DELETE", f"/series/{series_id}", None, self.said)

    def _value(self) -> float:
        return round(self.draw.uniform(0, 80), 3)


@dataclass
class Publisher:
    """Publishes, promotes, rolls back and deletes versions of `m`, and makes and deletes the model `gone`."""

    world: World
    database: Database
    settings: Settings
    networks: dict[Kind, Trained]
    draw: random.Random
    said: Counter[str] = field(default_factory=Counter)
    pause: float = 0.3

    def step(self, caller: Caller) -> None:
        """Do one of them."""
        for timeline in (*self.world.champions.values(), self.world.versions):
            timeline.forget(time.monotonic() - REMEMBERED_SECONDS)
        self.draw.choice((self.promote, self.promote, self.promote, self.make, self._drop, self._gone))(caller)

    def make(self, caller: Caller) -> None:
        """Publish another version of `m`."""
        held = self.world.versions
        if len(held.now) >= MOST_VERSIONS:
            self._drop(caller)
            return
        self.said["published"] += 1
        kind: Kind = self.draw.choice(("trained", "other"))
        number = self.said["published"]  # numbers are not given twice
        with held.change(held.now | {(number, kind)}):
            if self._publish("m", kind) != number:
                raise Wrong(f"another number than {number} was given to a version")

    def promote(self, caller: Caller) -> None:
        """Let one of the versions of `m` serve."""
        number, kind = self.draw.choice(sorted(self.world.versions.now))
        self.said["promoted"] += 1
        self._champion(caller, "m", number, kind)

    def _champion(self, caller: Caller, model: str, number: int, kind: Kind) -> None:
        with self.world.champions[model].change((number, kind), SWITCH_SECONDS):
            path = f"/models/{model}/champion"
            insist(caller, self.draw.choice(caller.urls), "PUT", path, {"version": number}, self.said)

    def _drop(self, caller: Caller) -> None:
        held = self.world.versions
        others = sorted(held.now - {self.world.champions["m"].now})
        if len(others) < 2:
            self.make(caller)
            return
        version = self.draw.choice(others)
        self.said["version deleted"] += 1
        with held.change(held.now - {version}):
            path = f"/models/m/versions/{version[0]}"
            insist(caller, self.draw.choice(caller.urls), "DELETE", path, None, self.said)

    def _gone(self, caller: Caller) -> None:
        """Make the model, with one version or two, or delete it."""
        champion = self.world.champions["gone"]
        if champion.now is not None:
            self.said["model deleted"] += 1
            with champion.change(None):
                insist(caller, self.draw.choice(caller.urls), "DELETE", "/models/gone", None, self.said)
            return
        self.said["model made"] += 1
        kinds: list[Kind] = self.draw.sample(["trained", "other"], self.draw.randint(1, 2))  # type: ignore[arg-type]
        for kind in kinds:
            self._champion(caller, "gone", self._publish("gone", kind), kind)

    def _publish(self, model: str, kind: Kind) -> int:
        trained = self.networks[kind]
        return publish(self.database, self.settings, trained, model, promoted=False, ended=True)


def _with(state: State, side: int, new: Values | None) -> State:
    return (new, state[1]) if side == 0 else (state[0], new)
