"""Charts as they are drawn: every part is there, users' text is text, and nothing odd keeps a chart from its reader."""

import re
import struct
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from app.serving.charts.drawer import prepare
from app.serving.charts.picture import Chart, ChartForecast, ChartPanel, ChartPoints, Interval, Level

HOUR = 3_600_000_000
START = 1_711_828_800_000_000  # 2024-03-30T20:00Z, a night before the clocks change in Europe
SVG = "{http://www.w3.org/2000/svg}"
NOTHING = ChartPoints([], [])

answer = prepare()


def forecast(steps: int = 6, start: int = START, scale: float = 1.0) -> ChartForecast:
    median = [scale * (10 + i) for i in range(steps)]
    intervals = [Interval(p, [m - p * scale for m in median], [m + p * scale for m in median]) for p in (90.0, 50.0)]
    ts = [start + HOUR * (i + 1) for i in range(steps)]
    return ChartForecast(start, ts, median, intervals, [Level(0.99, [m + 2 for m in median])])


def panel(**more: Any) -> ChartPanel:
    ts = [START - HOUR * i for i in range(11, -1, -1)]
    y = [1.0, 2.0, None, 4.0, None, None, 7.0, 8.0, 9.0, 10.0, 9.0, 8.0]
    fields = {
        "title": "a",
        "unit": "kWh",
        "timezone": "Europe/Berlin",
        "history": ChartPoints(ts, y),
        "later": NOTHING,
        "forecast": forecast(),
        "note": None,
    }
    return ChartPanel(**(fields | more))


def draw(*panels: ChartPanel, **more: Any) -> bytes:
    fields = {"format": "svg", "theme": "light", "title": "t", "subtitle": "m@1", "width": 640, "height": None}
    return answer(Chart(**(fields | more), panels=list(panels or [panel()])).question())


def texts(svg: bytes) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(svg).iter(f"{SVG}text")]


def group(svg: bytes, name: str) -> ET.Element:
    return next(one for one in ET.fromstring(svg).iter(f"{SVG}g") if one.get("id") == name)


def places(element: ET.Element) -> list[list[float]]:
    """Return the x of the points of each line of a group."""
    (path,) = element.findall(f"{SVG}path")
    lines = re.findall(r"M[^M]*", path.get("d") or "")
    return [[float(x) for x, _ in re.findall(r"(-?[\d.]+) (-?[\d.]+)", line)] for line in lines]


def test_every_part_has_its_name() -> None:
    svg = draw(panel(later=ChartPoints([START + HOUR], [9.5])), panel(title="b"))
    found = {one.get("id") for one in ET.fromstring(svg).iter(f"{SVG}g")}
    for at in (0, 1):
        parts = ("history", "median", "interval-90", "interval-50", "quantile-0.99", "origin", "unit")
        assert {f"{part}-{at}" for part in parts} <= found
    assert "later-0" in found
    assert "later-1" not in found
    shown = texts(svg)
    for text in ("t", "m@1", "a", "b", "kWh", "Observed", "Median", "90 % interval", "quantile 0.99", "Origin"):
        assert text in shown


def test_missing_values_are_gaps_and_lonely_ones_are_seen() -> None:
    svg = draw()
    assert [len(line) for line in places(group(svg, "history-0"))] == [2, 1, 6]
    assert len(list(group(svg, "marks-history-0").iter(f"{SVG}use"))) == 1
    assert len(places(group(svg, "median-0"))[0]) == 7  # from the value at the origin on


def test_the_axis_is_in_the_series_own_time() -> None:
    berlin, utc = draw(), draw(panel(timezone="UTC"))
    assert any("Europe/Berlin" in text for text in texts(berlin))
    assert "31 Mar" in texts(berlin)
    assert "31 Mar" in texts(utc)
    assert texts(berlin) != texts(utc)


def test_text_is_drawn_as_it_is_written() -> None:
    odd = "</text><script>alert(1)</script> & $\\frac{1}{0}$ _a^b 日本 עברית 😀"
    svg = draw(panel(title=odd, unit="$m^3$ & <"), panel(), title=odd, width=1600)
    assert b"<script" not in svg
    assert odd in texts(svg)
    assert "$m^3$ & <" in texts(svg)
    assert draw(panel(title=odd, unit=odd), title=odd, format="png").startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_equal_charts_have_equal_bytes(kind: str) -> None:
    assert (
        draw(format=kind)
        == draw(format=kind)
        == prepare()(
            Chart(
                kind,
                "light",
                "t",
                "m@1",
                640,
                None,
                [panel()],  # type: ignore[arg-type]
            ).question()
        )
    )


@pytest.mark.parametrize(("width", "height"), [(320, 200), (333, 777), (961, 401), (2400, 2399)])
def test_pictures_have_the_size_that_is_asked_for(width: int, height: int) -> None:
    png = draw(format="png", width=width, height=height)
    assert struct.unpack(">II", png[16:24]) == (width, height)
    svg = ET.fromstring(draw(width=width, height=height))
    assert float((svg.get("width") or "").removesuffix("pt")) * 96 / 72 == pytest.approx(width, abs=0.1)


def test_themes_differ() -> None:
    light, dark = draw(), draw(theme="dark")
    assert b"#ffffff" in light
    assert b"#ffffff" not in dark
    assert b"#10161d" in dark


def test_a_series_without_a_forecast_says_why() -> None:
    found = texts(
        draw(panel(), panel(forecast=None, note="no luck"), panel(history=NOTHING, forecast=None, note="none"))
    )
    assert "no luck" in found
    assert "none" in found


@pytest.mark.parametrize(
    "odd",
    [
        panel(forecast=forecast(scale=1e299), history=NOTHING),
        panel(forecast=forecast(scale=1e307)),
        panel(history=ChartPoints([START], [0.0]), forecast=forecast(1, scale=0.0)),
        panel(history=ChartPoints([START - HOUR, START], [None, None])),
        panel(forecast=forecast(1), unit="u" * 5000, title="i" * 200, note="word " * 2000),
        panel(history=NOTHING, forecast=forecast(3, start=-30_000_000_000_000_000)),
        panel(history=NOTHING, forecast=forecast(3, start=221_000_000_000_000_000)),
        panel(forecast=ChartForecast(START, [START + 1], [1e-300], [], [Level(0.01 * i, [1.0]) for i in range(1, 50)])),
        panel(
            forecast=ChartForecast(START, [START + 1], [1.0], [Interval(i, [0.0], [2.0]) for i in range(98, 0, -2)], [])
        ),
    ],
)
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_odd_charts_are_drawn(odd: ChartPanel, kind: str) -> None:
    assert len(draw(odd, odd, format=kind, width=320)) > 1000


def test_twelve_panels_fit_on_a_small_picture() -> None:
    svg = draw(*[panel(title=f"s{i}") for i in range(12)], width=320, height=200)
    assert "median-11" in {one.get("id") for one in ET.fromstring(svg).iter(f"{SVG}g")}
