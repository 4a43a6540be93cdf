"""Every decision is listed as it is, and has what a decision needs."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
ROW = re.compile(
    r"^\| \[(?P<number>\d+)\]\((?P<file>[^)]+)\) \| (?P<title>.+?)"
    r" \| (?P<status>\w+) \| (?P<date>[\d-]+) \| (?P<by>.*?) ?\|$",
    re.MULTILINE,
)
ROWS = {row["file"]: row for row in ROW.finditer((FOLDER / "README.md").read_text())}
REASONS = ("Why", "Why not", "Why not otherwise", "Consequences", "Where", "An extra")
"""Sections that argue, one of which each page has; a short page may argue within its decision"""
WITHOUT_REASONS = {"0014-keeping-the-best.md"}


def test_the_index_lists_every_page_once_and_in_order() -> None:
    assert list(ROWS) == [page.name for page in PAGES]
    assert [int(row["number"]) for row in ROWS.values()] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_the_index_says(page: Path) -> None:
    row = ROWS[page.name]
    title, status = page.read_text().split("\n\n", 2)[:2]
    assert title == f"# {row['number']}. {row['title']}"
    stated = re.fullmatch(r"\*(?P<status>[A-Z]\w+)(?P<by>, .+)?\. (?P<date>\d{4}-\d\d-\d\d)\.\*", status)
    assert stated is not None, status
    assert (stated["status"].lower(), stated["date"]) == (row["status"], row["date"])
    successors = re.findall(r"\]\(([^)]+)\)", stated["by"] or "")
    assert successors == re.findall(r"\]\(([^)]+)\)", row["by"])
    assert all((FOLDER / name).is_file() and name > page.name for name in successors)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_sections_that_it_needs(page: Path) -> None:
    sections = re.findall(r"^\*\*([^*.:]+)[^*]*\*\*", page.read_text(), flags=re.MULTILINE)
    assert sections[0] == "Context"
    assert "Decision" in sections[1:3]
    assert page.name in WITHOUT_REASONS or set(sections) & set(REASONS)
