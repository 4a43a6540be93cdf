"""The library's page: every block runs, and prints what the page says."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gatecast
from gatecast import Panel
from tests.e2e.test_readme import shape
from tests.scripted_service import ScriptedService
from tests.trained import values

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text()
BLOCK = re.compile(r"<!-- run -->\n```python\n(?P<code>.*?)```\n<!-- output -->\n```\n(?P<output>.*?)```\n", re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


@pytest.mark.slow
@pytest.mark.training
def test_every_block_of_the_page(service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    forecasts = [{"series_id": "bikes", "status": "ok", "yhat": [40.8, 28.1]}]
    service.on("POST", "/forecast", {"model": "rentals", "version": 1, "forecasts": forecasts})
    blocks = list(BLOCK.finditer(PAGE))
    assert len(blocks) == PAGE.count("```python")
    names: dict[str, object] = {}
    for block in blocks:
        code = block["code"].replace(ADDRESS, service.url)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/library.md", "exec"), names)
        assert shape(printed.getvalue()) == shape(block["output"]), block["code"]
    assert names["better"] is not None


def test_every_public_name_is_imported_on_the_page() -> None:
    imported = re.findall(r"^from gatecast import (.+)$", PAGE, flags=re.MULTILINE)
    shown = {name for names in imported for name in names.split(", ")}
    assert shown | {"Config", "Series"} == set(gatecast.__all__)
    for name in gatecast.__all__:
        assert f"`{name}`" in PAGE


@pytest.mark.training
def test_the_readmes_lines() -> None:
    section = (ROOT / "README.md").read_text().split("\n## As a library\n")[1]
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    names: dict[str, object] = {"y": values(300)}
    exec(compile(code.replace("horizon=24", 'horizon=24, training={"epochs": 1}'), "README.md", "exec"), names)
    assert isinstance(names["panel"], Panel)
    yhat = getattr(names["forecast"], "yhat", np.array([]))
    assert yhat.shape == (24,)
