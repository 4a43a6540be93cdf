"""One name for one thing: a class's name stands once in the repository."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_two_classes_share_a_name() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for folder in (ROOT / "app", ROOT / "client", ROOT / "gatecast", ROOT / "models"):
        for file in sorted(folder.rglob("*.py")):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    modules[node.name].append(str(file.relative_to(ROOT)))
    assert len(modules) > 300, "otherwise this test shows nothing"
    assert {name: files for name, files in modules.items() if len(files) > 1} == {}
