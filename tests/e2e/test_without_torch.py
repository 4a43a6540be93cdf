"""The API process never imports torch on the CPU, nor what only training or drawing need."""

import subprocess
import sys

import pytest

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.conftest import seasonal, stamps
from tests.trained import Trained, publish

PROGRAM = """
import sys, json
from fastapi.testclient import TestClient
from app.config import Settings
from app.main import create_app

with TestClient(create_app(Settings())) as client:
    client.post("/series", json={"id": "a", "freq": "h"})
    client.post("/series/a/observations", json=json.loads(sys.argv[1]))
    client.post("/train", json={"model": "other", "series": {"ids": ["a"]}, "horizon": 3})
    (found,) = client.post("/forecast", json={"model": "m", "series": ["a"]}).json()["forecasts"]
    assert found["status"] == "ok", found
    metrics = client.get("/api/v1/query", params={"query": '{__name__=~"m:.+",series=~"a.?"}'}).json()
    assert metrics["status"] == "success" and client.get("/api/v1/labels").json()["data"], metrics
    for kind in ("svg", "png"):
        chart = client.get("/forecast/chart", params={"model": "m", "series": "a", "format": kind})
        assert chart.status_code == 200, chart.text
    assert client.get("/openapi.json").status_code == client.get("/metrics").status_code == 200
heavy = {"torch", "onnx", "onnxscript", "optuna", "statsforecast", "captum", "scipy", "matplotlib"}
print(sorted(heavy & set(sys.modules)))
"""
DRAWING = """
import sys
from app.serving.charts.drawer import prepare
from app.serving.charts.picture import Chart, ChartForecast, ChartPanel, ChartPoints

forecast = ChartForecast(0, [3600], [1.0], [], [])
panel = ChartPanel("a", None, "UTC", ChartPoints([0], [1.0]), ChartPoints([], []), forecast, None)
assert prepare()(Chart("png", "light", "a", "", 400, None, [panel]).question()).startswith(b"\\x89PNG")
print(sorted({"torch", "onnxruntime", "pandas", "scipy", "sqlalchemy", "fastapi"} & set(sys.modules)))
"""


@pytest.mark.one_database
def test_serving_imports_no_torch(settings: Settings, database: Database, trained: Trained) -> None:
    import json

    publish(database, settings, trained)
    body = json.dumps({"ds": stamps(100), "y": seasonal(100)})
    environment = {"GATECAST_DATA_DIR": str(settings.data_dir), "GATECAST_DATABASE_URL": settings.database_url or ""}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, body], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_drawing_imports_little() -> None:
    """The process that draws starts quickly and is small."""
    done = subprocess.run([sys.executable, "-c", DRAWING], capture_output=True, text=True, env={}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"
