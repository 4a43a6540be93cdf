"""The whole picture of a chart, drawn with matplotlib. Runs only in the drawing process, and imports no torch.

Equal charts give equal bytes: no dates, no random names.
"""

import io
import math
import warnings
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from app.serving.charts.panel import draw_panel
from app.serving.charts.picture import Chart
from app.serving.charts.theme import COLOURS, DPI, Colours, blend, configure_matplotlib

EDGE = 16
"""pixels between the content and the edges of the picture"""
HEADER = 58
"""pixels that title and subtitle need"""
LEGEND_ROW = 18
PANEL_HEIGHT = 215
ONE_PANEL_HEIGHT = 310
NARROWEST = 300
"""pixels of a panel, where there is a choice"""
NAMED_INTERVALS = 4
"""intervals that the legend names, at most about"""
SMALL = 260
"""pixels: a picture of less height has no room for a legend"""

Entry = tuple[Any, str]


def prepare() -> None:
    """Set up matplotlib, once a process."""
    configure_matplotlib()


def draw(chart: Chart) -> bytes:
    """Return the picture of a chart, as SVG or PNG."""
    with warnings.catch_warnings():  # about glyphs that no font has, and panels that are too small for their labels
        warnings.simplefilter("ignore")
        return _save(_draw_figure(chart), chart)


def _draw_figure(chart: Chart) -> Figure:
    colours = COLOURS[chart.theme]
    columns = _count_columns(len(chart.panels), chart.width)
    rows = math.ceil(len(chart.panels) / columns)
    entries = _list_entries(chart, colours) if (chart.height or SMALL) >= SMALL else []
    legend_columns = _count_legend_columns([text for _, text in entries], chart.width)
    top = HEADER + LEGEND_ROW * math.ceil(len(entries) / legend_columns)
    height = chart.height or top + EDGE + (ONE_PANEL_HEIGHT if rows == 1 else PANEL_HEIGHT * rows)
    figure = _make_figure(chart, height, top, colours)
    _draw_header(figure, chart, height, colours)
    if entries:
        _draw_legend(figure, entries, legend_columns, chart.width, height, colours)
    axes_list = _make_axes(figure, rows, columns)
    for axes in axes_list[len(chart.panels) :]:
        axes.set_axis_off()
    for number, (panel, axes) in enumerate(zip(chart.panels, axes_list, strict=False)):
        draw_panel(axes, panel, number, colours, 0.9 * chart.width / columns - 60)
        if len(chart.panels) > 1:
            title = shorten(panel.title, 0.92 * chart.width / columns - 60, 9, "bold")
            axes.set_title(title, loc="left", color=colours.text, fontsize=9, fontweight="bold", gid=f"title-{number}")
    return figure


def _count_columns(panels: int, width: int) -> int:
    columns = 3
    if panels <= 3:
        columns = 1
    elif panels <= 6:
        columns = 2
    return max(1, min(columns, width // NARROWEST))


def _make_figure(chart: Chart, height: int, top: int, colours: Colours) -> Figure:
    # a hundredth of a pixel, so that no rounding loses a whole one
    figure = Figure(((chart.width + 0.01) / DPI, (height + 0.01) / DPI), DPI, facecolor=colours.background)
    engine = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04, hspace=0.06, wspace=0.04)
    side = EDGE / 2 / chart.width
    bottom = EDGE / 2 / height
    engine.set(rect=(side, bottom, 1 - 2 * side, max(0.1, 1 - top / height - bottom)))
    figure.set_layout_engine(engine)
    return figure


def _make_axes(figure: Figure, rows: int, columns: int) -> list[Any]:
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def _draw_header(figure: Figure, chart: Chart, height: int, colours: Colours) -> None:
    x = EDGE / chart.width
    room = chart.width - 2 * EDGE
    title = shorten(chart.title, room, 12, "bold")
    figure.text(x, 1 - 24 / height, title, color=colours.text, fontsize=12, fontweight="bold", gid="title")
    subtitle = shorten(chart.subtitle, room, 8.5)
    figure.text(x, 1 - 42 / height, subtitle, color=colours.muted, fontsize=8.5, gid="subtitle")


def _list_entries(chart: Chart, colours: Colours) -> list[Entry]:
    """Return the entries of the legend: each kind of line or area that any panel shows, once."""
    forecasts = [panel.forecast for panel in chart.panels if panel.forecast is not None]
    if not forecasts:
        return []
    entries: list[Entry] = [(Line2D([], [], color=colours.history, linewidth=1.4), "Observed")]
    if any(panel.later.ts for panel in chart.panels):
        later = Line2D([], [], color=colours.later, linewidth=0.9, marker="o", markersize=4)
        entries.append((later, "Observed after the origin"))
    entries.append((Line2D([], [], color=colours.forecast, linewidth=1.9), "Median"))
    widths = [interval.percent for interval in forecasts[0].intervals]
    named = range(0, len(widths), max(1, math.ceil(len(widths) / NAMED_INTERVALS)))
    entries += [
        (Patch(color=blend(colours, len(widths), i + 1), linewidth=0), f"{widths[i]:g} % interval") for i in named
    ]
    if forecasts[0].levels:
        text = "quantile" + "s" * (len(forecasts[0].levels) > 1)
        levels = ", ".join(f"{interval.level:g}" for interval in forecasts[0].levels[:NAMED_INTERVALS])
        more = " …" if len(forecasts[0].levels) > NAMED_INTERVALS else ""
        entries.append((Line2D([], [], color=colours.forecast, linewidth=0.9, linestyle=":"), f"{text} {levels}{more}"))
    origin = Line2D([], [], color=colours.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    return [*entries, (origin, "Origin")]


def _count_legend_columns(texts: list[str], width: int) -> int:
    """Return how many entries fit on one row."""
    widest = max((measure_text(text, 8.5) + 48 for text in texts), default=1)
    total = sum(measure_text(text, 8.5) + 48 for text in texts)
    if total <= width - 2 * EDGE:
        return max(1, len(texts))
    return max(1, int((width - 2 * EDGE) // widest))


def _draw_legend(figure: Figure, entries: list[Entry], columns: int, width: int, height: int, colours: Colours) -> None:
    legend = figure.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="upper left",
        bbox_to_anchor=((EDGE - 2) / width, 1 - (HEADER - 4) / height),
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        labelcolor=colours.text,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.6,
        handletextpad=0.6,
        columnspacing=1.6,
    )
    legend.set_in_layout(False)
    legend.set_gid("legend")


def measure_text(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line in pixels."""
    renderer: RendererBase = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
    return float(renderer.get_text_width_height_descent(text, FontProperties(size=size, weight=weight), False)[0])


def shorten(text: str, room: float, size: float, weight: str = "normal") -> str:
    """Return a line that fits into `room` pixels; a longer one loses its middle."""
    if not text or measure_text(text, size, weight) <= room:
        return text
    length = len(text) - 1
    while length > 2:
        head = text[: math.ceil(length / 2)]
        tail = text[len(text) - length // 2 :]
        wide = measure_text(f"{head}…{tail}", size, weight)
        if wide <= room:
            return f"{head.rstrip()}…{tail.lstrip()}"
        length = min(length - 1, int(length * room / wide))
    return "…"


def _save(figure: Figure, chart: Chart) -> bytes:
    picture = io.BytesIO()
    if chart.format == "svg":
        FigureCanvasSVG(figure).print_svg(picture, metadata={"Date": None, "Creator": "Gatecast", "Title": chart.title})
    else:
        FigureCanvasAgg(figure).print_png(picture, metadata={"Software": None})
    return picture.getvalue()
