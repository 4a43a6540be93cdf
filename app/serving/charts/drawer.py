"""Charts of forecasts, drawn in a process of their own: matplotlib would hold the interpreter, and forecasts wait.

What is to be drawn goes to it as JSON, the picture comes back as bytes. Times are int64 microseconds UTC.
"""

from app.serving.charts.picture import Chart
from app.serving.helper_process import Answerer, HelperProcess, HelperTask

UNDER_WAY = 16
"""questions at a time: a page shows many charts, and asks for them all at once"""


class ChartDrawer:
    """Asks the drawing process."""

    def __init__(self, seconds: float) -> None:
        """`seconds` that a chart may take, and may wait for others."""
        self.process = HelperProcess(HelperTask("drawing", "charts", prepare), seconds, UNDER_WAY)

    def draw(self, question: bytes) -> bytes:
        """Return the picture of a `Chart.question`: equal ones have equal bytes. Raises NotAnswered."""
        return self.process.ask(question)

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.close()


def prepare() -> Answerer:
    """Return what draws. Runs in the process."""
    from pydantic import TypeAdapter

    from app.serving.charts import drawing

    drawing.prepare()
    charts = TypeAdapter(Chart)
    return lambda question: drawing.draw(charts.validate_json(question))
