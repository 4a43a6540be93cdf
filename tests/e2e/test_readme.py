"""What the README shows is what happens."""

import re
import shutil

import pytest

from tests.e2e.processes import Service
from tests.e2e.tour import README, run, steps


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour speaks curl, which is not installed")
@pytest.mark.one_database
def test_the_tour(service: Service) -> None:
    url = service.serve()
    service.worker("worker", GATECAST_PRELOAD="true")
    found = steps(README.read_text())
    assert [step.language for step in found] == ["python", "sh", "sh", "python", "python", "sh", "sh", "sh", "sh"]
    outputs = run(found, url)
    for step, output in zip(found, outputs, strict=True):
        assert shape(output) == shape(step.output), step.command
    assert "rentals@1 is live" in outputs[2]


def shape(text: str) -> str:
    """Return an answer without the numbers and ids that differ from run to run, and the spaces that align them."""
    text = re.sub(r"[0-9a-f]{32}", "ID", text.strip())
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "TIME", text)
    text = re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "N", text)
    return re.sub(r" {2,}", " ", text)
