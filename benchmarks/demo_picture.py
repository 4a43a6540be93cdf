"""The README's picture, of what the demo prints: python -m benchmarks.demo_picture docs/demo.svg."""

import argparse
import os
import re
from pathlib import Path

from rich.console import Console

from app.cli.demo import FOLDER, show
from app.cli.demo_data import load
from app.cli.demo_service import DemoService

WIDTH = 100
"""characters"""


def draw(target: Path) -> None:
    """Run the demo and keep what it printed as an SVG."""
    os.environ["COLUMNS"] = str(WIDTH)  # the chart is never wider than the terminal
    with Path(os.devnull).open("w") as nowhere, DemoService(FOLDER) as service:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, highlight=False)
        show(service.client, load(), console)
    target.write_text(drop_fonts(console.export_svg(title="make demo")))


def drop_fonts(svg: str) -> str:
    """Return a picture that fetches no fonts from anywhere."""
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="the SVG to write")
    draw(parser.parse_args().target)
