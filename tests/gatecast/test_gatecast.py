"""The public face: every name is there, and loads no more than it needs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gatecast

ROOT = Path(__file__).resolve().parents[2]
LIGHT = ("Panel", "Series", "Config", "default_config", "detect_anomalies")


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    path = os.pathsep.join([str(ROOT / "client"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_it_loads_nothing_else() -> None:
    assert not loaded_by("import gatecast") & {"models", "gatecast_client", "torch", "numpy", "pandas"}


def test_reading_and_judging_series_loads_no_torch() -> None:
    heavy = {"torch", "onnx", "onnxruntime", "optuna", "statsforecast", "captum", "fastapi", "sqlalchemy", "app"}
    assert not loaded_by(f"from gatecast import Client, {', '.join(LIGHT)}") & heavy


def test_the_client_loads_neither_the_engine_nor_the_service() -> None:
    heavy = {"torch", "numpy", "pandas", "pydantic", "fastapi", "sqlalchemy", "models", "app"}
    loaded = loaded_by("from gatecast import Client")
    assert "gatecast_client" in loaded
    assert not loaded & heavy


@pytest.mark.parametrize("name", gatecast.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(gatecast)
    value = getattr(gatecast, name)
    assert callable(value)
    assert getattr(gatecast, name) is value


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'gatecast' has no attribute 'choose'"):
        _ = gatecast.choose  # type: ignore[attr-defined]


def test_type_checkers_are_given_the_same_names() -> None:
    block = next(node for node in ast.parse(Path(gatecast.__file__).read_text()).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    sources = {alias.asname or alias.name: (node.module, alias.name) for node in imports for alias in node.names}
    assert sources == gatecast._SOURCES
    assert sorted(sources) == gatecast.__all__
