"""No text names a call that does not exist: hints, messages and help of the code, and the pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.http.operations import OperationTable, PathItem
from app.config import Settings
from app.main import create_app

ROOT = Path(__file__).parents[2]
SOURCES = ("app", "client", "gatecast", "models")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs")
CALL = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)(?:\s+|`\s+`)(/[^\s`\"',;()<>|…]*)")
PARAMETER = re.compile(r"`([a-z_]+)=[^`]*`")
"""a query parameter as pages write it: `dry_run=true`"""
PLACEHOLDER = re.compile(r"{[^}]*}")
PLACE = "x"
"""what stands for a parameter of a path"""


def read_literals(file: Path) -> Iterator[str]:
    """Yield the texts of a module, docstrings too; what is put into one is `{}`."""
    tree = ast.parse(file.read_text())
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in formatted for part in node.values}
    for node in formatted:
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        yield "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def read_texts() -> Iterator[tuple[str, str]]:
    """Yield the name of a file and one text of it."""
    for folder in SOURCES:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from ((str(file.relative_to(ROOT)), text) for text in read_literals(file))
    for page in PAGES:
        for file in sorted((ROOT / page).rglob("*.md")) if (ROOT / page).is_dir() else [ROOT / page]:
            yield str(file.relative_to(ROOT)), file.read_text()


def find_item(table: OperationTable, path: str) -> PathItem | None:
    """Return the item of a path as a text writes it; an example of an id has no slash."""
    found = table.find(PLACEHOLDER.sub(PLACE, path))
    if found is None or found[0].template.count("/") != path.count("/"):
        return None
    return found[0]


def explain(table: OperationTable, method: str, call: str) -> str | None:
    """Say what is wrong with a call that a text names."""
    path, _, query = call.rstrip(".:*").partition("?")
    item = find_item(table, path)
    if item is None:
        return "no such path"
    if method not in item.allow:
        return f"takes {item.allow}"
    operation = item.operations.get(method)
    known = operation.parameters.names if operation is not None and operation.parameters is not None else None
    names = {pair.partition("=")[0] for pair in query.split("&") if pair}
    unknown = set() if known is None else names - set(known)
    return f"knows no {unknown}" if unknown else None


@pytest.fixture
def table(tmp_path: Path) -> OperationTable:
    return create_app(Settings(data_dir=tmp_path)).operations


def test_every_call_that_a_text_names_exists(table: OperationTable) -> None:
    mentions = [(name, *match.groups()) for name, text in read_texts() for match in CALL.finditer(text)]
    assert len(mentions) > 80
    wrong = [(name, method, call, why) for name, method, call in mentions if (why := explain(table, method, call))]
    assert wrong == []


def test_every_query_parameter_that_the_page_of_the_api_names_exists(table: OperationTable) -> None:
    operations = [operation for item in table for operation in item.operations.values()]
    known = {name for operation in operations if operation.parameters for name in operation.parameters.names}
    named = set(PARAMETER.findall((ROOT / "docs" / "api.md").read_text()))
    assert len(named) > 3
    assert named - known == set()


@pytest.mark.parametrize(
    ("method", "call", "why"),
    [
        ("GET", "/series/{id}/healthy", "no such path"),
        ("PATCH", "/series/{id}", "takes"),
        ("GET", "/jobs?state=failed", "knows no"),
        ("GET", "/nowhere", "no such path"),
    ],
)
def test_a_call_that_does_not_exist_is_found(table: OperationTable, method: str, call: str, why: str) -> None:
    assert (explain(table, method, call) or "").startswith(why)
    assert explain(table, "GET", "/series/{id}/observations?start=2024") is None
