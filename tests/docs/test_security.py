"""The page of risks names tests that exist, and at least one for each of the ten."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| (API\d+) .+$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def list_tests(path: str) -> set[str]:
    """Return the names of the tests of a file, of its classes too; none where there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(PAGE.read_text())
    assert len(named) > 50
    assert [f"{path}::{name}" for path, name in named if name not in list_tests(path)] == []


def test_each_of_the_ten_has_a_test() -> None:
    rows = {row[1]: TEST.findall(row[0]) for row in ROW.finditer(PAGE.read_text())}
    assert list(rows) == [f"API{number}" for number in range(1, 11)]
    assert [risk for risk, tests in rows.items() if not tests] == []
