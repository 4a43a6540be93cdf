"""What serving shares with training loads no torch, module by module, as the contract in pyproject.toml says."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "statsforecast", "onnx", "optuna", "captum", "matplotlib")


def list_modules() -> list[str]:
    """Return every module of the contract's packages."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["id"] == "without-torch"]
    modules = []
    for name in contract["source_modules"]:
        path = ROOT / name.replace(".", "/")
        files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        modules += [str(file.relative_to(ROOT).with_suffix("")).replace("/", ".") for file in files]
    return modules


def test_no_module_loads_torch() -> None:
    modules = list_modules()
    assert len(modules) > 40, "otherwise this test shows nothing"
    imports = "; ".join(f"import {name}" for name in modules)
    code = f"import sys; {imports}; print(*sorted(set({HEAVY!r}) & sys.modules.keys()))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == []
