"""Pages name files, modules and targets that exist."""

import re
import subprocess
from pathlib import Path

import pytest

import gatecast

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "README.md", "client/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TOPS = r"(?:app|benchmarks|client|docs|gatecast|gatecast_client|migrations|models|tests)"
FILE = re.compile(rf"`({TOPS}(?:/[\w.-]+)+)/?`")
MODULE = re.compile(rf"`({TOPS}(?:\.\w+)+)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)\)")
TO_COME = re.compile(r"^### What is to come\n.*?(?=^#|\Z)", re.MULTILINE | re.DOTALL)
"""Files that do not exist yet"""


def text(page: Path) -> str:
    return TO_COME.sub("", page.read_text())


def is_there(module: str) -> bool:
    """Return whether a dotted name is a module or package, or a name in one."""
    path = ROOT / module.replace(".", "/").replace("gatecast_client", "client/gatecast_client")
    public = module.partition(".")[2] in gatecast.__all__ and module.startswith("gatecast.")
    return public or path.is_dir() or path.with_suffix(".py").is_file() or path.parent.with_suffix(".py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_exists(page: Path) -> None:
    content = text(page)
    assert [name for name in FILE.findall(content) if not (ROOT / name).exists()] == []
    assert [name for name in MODULE.findall(content) if not (is_there(name) or (ROOT / name).exists())] == []
    assert [link for link in LINK.findall(content) if not (page.parent / link).exists()] == []


def test_the_guide_is_short_and_lists_every_folder() -> None:
    guide = ROOT / "CONTRIBUTING.md"
    assert len(guide.read_text().splitlines()) <= 200
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what is tracked is not known")
    tree = guide.read_text().split("## The tree", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^ *((?:\w+/)+) ", tree, flags=re.MULTILINE)
    modules = [name for name in listed.stdout.splitlines() if not name.startswith(("tests/", "docs/"))]
    folders = {Path(name).parent.name for name in modules}
    assert folders - {name for line in lines for name in line.split("/")} == set()


def test_every_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets, page
