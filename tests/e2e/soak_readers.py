"""Who asks for forecasts during a soak, in every way that the service offers."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.caller import Caller, Reply
from tests.e2e.soak_actors import announced
from tests.e2e.soak_world import ARROW, SHORTEST, Group, World, fresh
from tests.e2e.truth import Values
from tests.trained import HORIZON


@dataclass
class Reader:
    """Asks for forecasts in every way, and has each answer judged."""

    world: World
    draw: random.Random
    said: Counter[str] = field(default_factory=Counter)
    pause: float = 0.0
    _tags: dict[tuple[str, str], Reply] = field(default_factory=dict)

    def step(self, caller: Caller) -> None:
        """Ask once. Raises Wrong."""
        ways = [self._post, self._post, self._get, self._get, self._sent, self._earlier]
        ways += [self._table] if self.world.offers & {"csv", "arrow"} else []
        ways += [self._labelled] if "labels" in self.world.offers else []
        self.draw.choice(ways)(caller)

    def _model(self) -> str:
        pinned = self.draw.choice(sorted(self.world.versions.now))[0]
        return self.draw.choice(("m", "m", "m", "gone", f"m@{pinned}"))

    def _asked(self) -> list[tuple[Group, int]]:
        groups = self.draw.sample(self.world.groups, self.draw.choice((1, 1, 2)))
        sides = self.draw.choice(((0,), (1,), (0, 1), (1, 0)))
        return [(group, side) for group in groups for side in sides]

    def _post(self, caller: Caller) -> None:
        model, asked, horizon = self._model(), self._asked(), self.draw.choice((HORIZON, HORIZON, 3))
        body = {"model": model, "series": [group.ids[side] for group, side in asked], "horizon": horizon}
        self._judged("POST", caller, model, asked, horizon, body)

    def _labelled(self, caller: Caller) -> None:
        group = self.draw.choice([one for one in self.world.groups if one.steady])
        body = {"model": "m", "series": {"labels": {"pair": str(group.number)}}, "horizon": HORIZON}
        self._judged("labels", caller, "m", [(group, 0), (group, 1)], HORIZON, body)

    def _earlier(self, caller: Caller) -> None:
        """Ask for a forecast from an origin that every state of a series reaches."""
        asked, upto = self._asked()[:1], self.draw.randint(100, SHORTEST - 20)
        group, side = asked[0]
        origin = Values((None,) * upto).ds(upto - 1)[0]
        body = {"model": "m", "series": [group.ids[side]], "horizon": HORIZON, "origin": origin}
        self._judged("origin", caller, "m", asked, HORIZON, body, upto=upto)

    def _table(self, caller: Caller) -> None:
        group = self.draw.choice([one for one in self.world.groups if one.steady])
        kind = self.draw.choice(sorted(self.world.offers & {"csv", "arrow"}))
        body = {"model": "m", "series": list(group.ids), "horizon": HORIZON}
        accept = "text/csv" if kind == "csv" else ARROW
        self._judged(kind, caller, "m", [(group, 0), (group, 1)], HORIZON, body, accept=accept)

    def _judged(
        self,
        what: str,
        caller: Caller,
        model: str,
        asked: list[tuple[Group, int]],
        horizon: int,
        body: dict[str, Any],
        upto: int | None = None,
        **headers: str,
    ) -> None:
        reply = caller.ask(self.draw.choice(caller.urls), "POST", "/forecast", body, **headers)
        if not announced(reply, self.said):
            self._count(what, self.world.judge(model, asked, horizon, reply, upto))

    def _get(self, caller: Caller) -> None:
        """Poll, with the ETag of the last answer: a 304 says that the last answer holds still."""
        model, asked = self._model(), self._asked()[:1]
        series_id = asked[0][0].ids[asked[0][1]]
        before = self._tags.get((model, series_id))
        headers = {} if before is None else {"if_none_match": before.headers["etag"]}
        path = f"/forecast?model={model}&series={series_id}"
        reply = caller.ask(self.draw.choice(caller.urls), "GET", path, **headers)
        if announced(reply, self.said):
            return
        if reply.status == 304 and before is not None:
            same = Reply(200, before.headers, before.body, reply.begin, reply.end)
            self._count("304", self.world.judge(model, asked, HORIZON, same))
            return
        self._count("GET", self.world.judge(model, asked, HORIZON, reply))
        if reply.status == 200 and "etag" in reply.headers:
            self._tags[model, series_id] = reply

    def _sent(self, caller: Caller) -> None:
        """Send a history along, under a name that is stored too."""
        model, values = self._model(), fresh(self.draw)
        series_id = self.draw.choice(self.world.groups).ids[0]
        body = {"model": model, "history": {series_id: {"ds": values.ds(), "y": list(values.y)}}}
        reply = caller.ask(self.draw.choice(caller.urls), "POST", "/forecast", body)
        if not announced(reply, self.said):
            self._count("history", self.world.judge_sent(model, series_id, values, reply))

    def _count(self, what: str, possible: int) -> None:
        self.said[what] += 1
        self.said["one possible answer"] += possible == 1
