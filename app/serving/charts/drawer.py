"""The process that draws charts: in the server's process matplotlib would hold the interpreter, and forecasts wait.

A chart goes to the process as JSON and comes back as the bytes of a picture. Times are int64 microseconds UTC.
"""

from app.serving.charts.picture import Chart
from app.serving.helper_process import Answerer, HelperProcess, HelperTask

UNDER_WAY = 16
"""charts at a time, waiting ones included: a page shows many charts and requests them all at once"""


class ChartDrawer:
    """Sends charts to the drawing process."""

    def __init__(self, seconds: float) -> None:
        """Set up the process; `seconds` is how long a chart may take, and may wait for others."""
        self.process = HelperProcess(HelperTask("drawing", "charts", prepare), seconds, UNDER_WAY)

    def draw(self, question: bytes) -> bytes:
        """Return the picture of a `Chart.question`; equal questions give equal bytes. Raises NotAnswered."""
        return self.process.ask(question)

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.close()


def prepare() -> Answerer:
    """Return the function that draws. Runs in the drawing process."""
    from pydantic import TypeAdapter

    from app.serving.charts import drawing

    drawing.prepare()
    charts = TypeAdapter(Chart)
    return lambda question: drawing.draw(charts.validate_json(question))
