"""Rows of benchmarks.serving: requests a second and latency of one forecast, beside a bare route and LitServe."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

from benchmarks.serving_data import FEW, HORIZON, LEVELS, LSTM, MODEL, body, name_of, values
from benchmarks.serving_load import Figures, Load, Measure, Request, in_turn, middle, middle_ratio
from benchmarks.serving_report import Row, Setting, told
from benchmarks.serving_servers import NotMeasured, Place, Server

CACHE_OFF = {"GATECAST_RENDERED_CACHE_BYTES": "0"}
WARM_SECONDS = 2.0
READ_STEPS = 168
"""that LitServe's network reads"""
HALF = 0.5
OFF_BY = 0.1
"""share by which a paced rate may miss the one that was meant"""


def posts(model: str = MODEL) -> list[Request]:
    """Return POST /forecast of each series."""
    return [Request("/forecast", json.dumps(body(i, model=model))) for i in range(FEW)]


def path_of(number: int) -> str:
    """Return the address of GET /forecast of a series."""
    levels = ",".join(map(str, LEVELS))
    return f"/forecast?model={MODEL}&series={name_of(number)}&horizon={HORIZON}&quantiles={levels}"


def checked(place: Place, server: Server, model: str = MODEL) -> object:
    """Return the answer of one forecast, once every series was forecast by the network. Raises NotMeasured."""
    answer = place.call(server, "POST", "/forecast", body(*range(FEW), model=model))
    bad = [one for one in answer["forecasts"] if one["status"] != "ok" or one["fallback"] or one["stale"]]
    if bad or len(answer["forecasts"]) != FEW:
        raise NotMeasured(f"a series was not forecast: {json.dumps(bad[:1])[:300]}")
    return place.call(server, "POST", "/forecast", body(0))


def same_answers(place: Place, ours: Server, bare: Server) -> None:
    """Make sure that the bare route answers the same content. Raises NotMeasured."""
    one, other = (place.call(server, "POST", "/forecast", body(0)) for server in (ours, bare))
    if one != other:
        raise NotMeasured("the bare route's schemas lack a field of the answer; benchmarks/bare.py has to follow")


def forecast(setting: Setting) -> Iterator[Row]:
    """Requests a second of POST /forecast against the bare route: the network that the service chooses, one LSTM, and
    the former with the cache of rendered forecasts on, which is off otherwise."""
    place = setting.place
    with place.gatecast(**CACHE_OFF) as off, place.gatecast() as on, place.bare(checked(place, off)) as bare:
        checked(place, on)
        checked(place, off, LSTM)
        same_answers(place, off, bare)
        for connections in setting.options.connections:
            sent = {
                "gatecast": (off, posts()),
                "one LSTM": (off, posts(LSTM)),
                "cached": (on, posts()),
                "bare route": (bare, posts()),
            }
            found = _rounds(setting, connections, sent)
            yield _rate(f"POST /forecast, {connections} connections", found, "gatecast", "bare route", 0.85)
            for kind in ("one LSTM", "cached"):
                name = f"POST /forecast, {connections} connections, {kind}"
                yield _rate(name, found, kind, "bare route", None)


def litserve(setting: Setting) -> Iterator[Row]:
    """Requests a second of POST /forecast against LitServe with the articles' LSTM."""
    place = setting.place
    windows = [Request("/predict", json.dumps({"y": (values(i)[-READ_STEPS:] / 1000).tolist()})) for i in range(FEW)]
    with place.gatecast(**CACHE_OFF) as ours, place.litserve() as peer:
        checked(place, ours)
        checked(place, ours, LSTM)
        if len(place.call(peer, "POST", "/predict", json.loads(windows[0].body))["yhat"]) != HORIZON:
            raise NotMeasured("LitServe answered another horizon")
        for connections in setting.options.connections:
            sent = {"gatecast": (ours, posts()), "one LSTM": (ours, posts(LSTM)), "LitServe": (peer, windows)}
            found = _rounds(setting, connections, sent, pausing=peer)
            yield _rate(f"POST /forecast, {connections} connections, peer", found, "gatecast", "LitServe", 6.0)
            name = f"POST /forecast, {connections} connections, peer, one LSTM"
            yield _rate(name, found, "one LSTM", "LitServe", None)


def polling(setting: Setting) -> Iterator[Row]:
    """Requests a second of GET /forecast: 304 answers and rendered ones, against the bare route by POST and by GET."""
    place = setting.place
    with place.gatecast() as ours, place.bare(checked(place, ours)) as bare:
        same_answers(place, ours, bare)
        plain = [Request(path_of(i), method="GET") for i in range(FEW)]
        tagged = [_tagged(place, ours, i) for i in range(FEW)]
        for connections in setting.options.connections:
            sent = {
                "304": (ours, tagged),
                "rendered": (ours, plain),
                "bare route": (bare, posts()),
                "bare GET": (bare, plain),
            }
            found = _rounds(setting, connections, sent)
            if max(one.answer_bytes for one in found["304"]) > min(one.answer_bytes for one in found["rendered"]) / 2:
                raise NotMeasured("answers to If-None-Match had bodies")
            for kind in ("304", "rendered"):
                name = f"GET /forecast, {connections} connections, {kind}"
                yield _rate(name, found, kind, "bare route", 1.3)
                yield _rate(name, found, kind, "bare GET", None)


def latency(setting: Setting) -> Iterator[Row]:
    """The 99th percentile at half of the top rate, against the bare route's median at half of its own."""
    place = setting.place
    with place.gatecast(**CACHE_OFF) as ours, place.bare(checked(place, ours)) as bare:
        checked(place, ours, LSTM)
        sent = {"gatecast": (ours, posts()), "one LSTM": (ours, posts(LSTM)), "bare route": (bare, posts())}
        for connections in setting.options.connections:
            load = Load(place.headers, connections)
            top = _rounds(setting, connections, sent)
            tops = {name: middle(rounds, "rate") for name, rounds in top.items()}
            measures = {
                name: paced(load, *one, tops[name] * HALF, setting.options.seconds) for name, one in sent.items()
            }
            found = in_turn(measures, setting.options.rounds)
            reached = {name: middle(rounds, "rate") / tops[name] for name, rounds in found.items()}
            for name, share in reached.items():
                if abs(share / HALF - 1) > OFF_BY:
                    raise NotMeasured(f"{name} was to be asked at {HALF:.0%} of its top rate, it was {share:.0%}")
            for name, target in (("gatecast", 4.0), ("one LSTM", None)):
                yield Row(
                    f"p99 at half load, {connections} connections" + ("" if name == "gatecast" else f", {name}"),
                    middle(found[name], "p99_ms"),
                    "ms",
                    middle_ratio(found[name], found["bare route"], "p99_ms", "p50_ms"),
                    target,
                    "at most",
                    middle(found["bare route"], "p50_ms"),
                    "p50 of the bare route at half of its own top rate",
                    {
                        "top_rate": tops,
                        "share_of_top_rate": reached,
                        "p50_at_top_rate_ms": {one: middle(rounds, "p50_ms") for one, rounds in top.items()},
                        **{one: told(rounds) for one, rounds in found.items()},
                    },
                )


def paced(load: Load, server: Server, requests: list[Request], rate: float, seconds: float) -> Measure:
    """Return a measurement at a chosen rate."""
    pause = load.pause_for(server, requests, rate)
    return lambda: load.run(server, requests, seconds, pause)


def _tagged(place: Place, server: Server, number: int) -> Request:
    """Return a GET with the ETag of what it would answer. Raises NotMeasured where that is not answered by 304."""
    tag = place.ask(server, "GET", path_of(number)).headers.get("etag")
    if tag is None:
        raise NotMeasured("GET /forecast sends no ETag")
    if place.ask(server, "GET", path_of(number), **{"If-None-Match": tag}).status != 304:
        raise NotMeasured("GET /forecast with If-None-Match is not answered by 304")
    return Request(path_of(number), method="GET", headers=(("If-None-Match", tag),))


def _rounds(
    setting: Setting,
    connections: int,
    sent: dict[str, tuple[Server, list[Request]]],
    pausing: Server | None = None,
) -> dict[str, list[Figures]]:
    """Warm every server up, then measure them in turn. `pausing` is stopped while others are measured."""
    load = Load(setting.place.headers, connections)

    def measure(server: Server, requests: list[Request], seconds: float) -> Callable[[], Figures]:
        def run() -> Figures:
            with ExitStack() as stack:
                if pausing is not None and pausing is not server:
                    stack.enter_context(pausing.stopped())
                return load.run(server, requests, seconds)

        return run

    for server, requests in sent.values():
        measure(server, requests, WARM_SECONDS)()
    measures = {name: measure(*one, setting.options.seconds) for name, one in sent.items()}
    return in_turn(measures, setting.options.rounds)


def _rate(name: str, found: dict[str, list[Figures]], ours: str, other: str, target: float | None) -> Row:
    """Return the row of requests a second."""
    return Row(
        name,
        middle(found[ours], "rate"),
        "req/s",
        middle_ratio(found[ours], found[other], "rate"),
        target,
        reference=middle(found[other], "rate"),
        reference_name=other,
        more={"p99_ms": median(one.p99_ms for one in found[ours]), ours: told(found[ours]), other: told(found[other])},
    )
