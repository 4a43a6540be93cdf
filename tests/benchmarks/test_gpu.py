"""The GPU's benchmark, run small on the CPU: what its line of JSON holds, and that parity is met. Speeds are nobody's
business here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_clock import attempt, covered
from benchmarks.gpu_learner import SMALL
from benchmarks.gpu_training import TrainingRow
from tests.trained import Trained

SECTIONS = {"training_parity", "serving_parity", "serving", "copies", "training"}


@pytest.fixture
def document(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What one small run says, having been checked to print and to write the same."""
    out = tmp_path / "gpu.json"
    gpu.main(["--small", "--device", "cpu", "--seconds", "0", "--version", str(trained.folder), "--out", str(out)])
    *_, last = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(last)
    assert json.loads(out.read_text()) == found
    return found


def test_measures_everything_on_the_cpu(document: dict[str, Any]) -> None:
    assert document["device"] == "cpu"
    assert document["small"] is True
    assert document["failed"] == {}
    assert set(document["packages"]) == set(gpu.PACKAGES)
    assert set(document) >= SECTIONS

    float32, mixed = document["training_parity"]
    assert (float32["precision"], float32["loss_difference"], float32["forecast_difference"]) == ("float32", 0.0, 0.0)
    assert (mixed["precision"], mixed["met"], mixed["steps"]) == ("mixed", True, SMALL.parity_steps)
    assert 0 < mixed["loss_difference"] <= mixed["loss_allowed"]
    assert 0 < mixed["mean_forecast_difference"] <= mixed["forecast_difference"] <= mixed["forecast_allowed"]

    onnx, by_torch = document["serving_parity"]
    assert (onnx["runtime"], onnx["met"], onnx["allowed"]) == ("ONNX Runtime, cpu", True, 1e-4)
    assert (by_torch["runtime"], by_torch["met"]) == ("torch, cpu", True)
    assert by_torch["difference"] < 1e-5

    assert [(row["runtime"], row["batch"]) for row in document["serving"]] == [
        (runtime, batch) for runtime in ("torch, cpu", "ONNX Runtime, cpu, one core") for batch in SMALL.served
    ]
    assert all(row["forecasts_per_second"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in document["serving"])

    (copies,) = document["copies"]
    context, horizon, fields = 48, 24, 5
    assert copies["bytes_a_window"] == 8 * (context + horizon + fields * (context + horizon))
    assert copies["windows_per_second"] == pytest.approx(copies["bytes_per_second"] / copies["bytes_a_window"])

    rows = [
        TrainingRow(**{name: value for name, value in row.items() if name != "of_bare"}) for row in document["training"]
    ]
    assert [(row.network, row.mixed, row.compiled) for row in rows] == [
        ("default", False, False),
        ("default", True, False),
        ("ensemble", False, False),
        ("ensemble", True, False),
        ("stepwise", False, False),
        ("stepwise", True, False),
        ("default", False, True),
        ("default", True, True),
    ]
    for row in rows:
        assert row.gpu_share is None  # the processor has no kernels to count
        if row.compiled:
            assert "not available: a small run compiles nothing" in row.line()
        else:
            assert row.windows_per_second is not None
            assert row.of_bare is not None
            assert row.ms_a_step == pytest.approx(1000 * row.batch / row.windows_per_second)


def test_says_that_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--device", "cuda"])
    assert ended.value.code == 2
    assert "there is no GPU that torch can use here" in capsys.readouterr().err


def test_a_figure_that_fails_leaves_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> float:
        raise RuntimeError("no C compiler\nwas found")

    def hang() -> float:
        while True:
            pass

    assert attempt(lambda: 2.0, 5).value == 2.0
    assert attempt(fail, 5).reason == "RuntimeError: no C compiler"
    assert attempt(hang, 1).reason == "TimeoutError: it took more than 1 s"
    assert attempt(fail, 0.5).reason == "no time was left"
    assert "Traceback" in capsys.readouterr().err


def test_kernels_that_overlap_count_once() -> None:
    assert covered([(5.0, 7.0), (0.0, 2.0), (1.0, 3.0), (1.5, 2.5)]) == 5.0
