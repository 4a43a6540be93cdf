"""What the GPU's benchmark imports fits into the wheels that travel to a bare machine."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[2]
PROGRAM = """
import json, sys
import app.serving.runtime, benchmarks.gpu, models.export.load
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
TOO_MUCH = {"captum", "matplotlib", "onnx", "onnx_ir", "onnxscript", "optuna", "scipy", "sqlalchemy", "statsforecast"}


def test_imports_no_package_that_stays_behind() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=HERE, capture_output=True, text=True, check=True)
    imported = set(json.loads(done.stdout))
    assert {"onnxruntime", "pandas", "torch"} <= imported
    assert not imported & TOO_MUCH
