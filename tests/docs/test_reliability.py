"""The page of faults names tests that exist, and at least one for each fault."""

import re
from pathlib import Path

from tests.docs.test_security import TEST, list_tests

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
FAULTS = re.compile(r"^## Faults\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (?!fault|---)([^|]+) \|.+$", re.MULTILINE)


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(PAGE.read_text())
    assert len(named) > 30
    assert [f"{path}::{name}" for path, name in named if name not in list_tests(path)] == []


def test_each_fault_has_a_test() -> None:
    section = FAULTS.search(PAGE.read_text())
    assert section is not None
    rows = {row[1]: TEST.findall(row[0]) for row in ROW.finditer(section[0])}
    assert len(rows) >= 12
    assert [fault for fault, tests in rows.items() if not tests] == []
