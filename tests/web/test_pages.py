"""The files of the page are sent compressed, kept by browsers, and held to what their README says."""

import gzip
import hashlib
import re

import pytest
from fastapi.testclient import TestClient

from app.web.pages import FOLDER, load_files

IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""")
STATIC_IMPORT = re.compile(r"""(?:^|\n)\s*(?:import|export)[^;]*?["'](\.[^"']+)["'];""")


@pytest.mark.one_database
def test_the_document_names_files_that_never_change(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    addresses = re.findall(r'(?:href|src)="(static/[^"]+)"', page.text)
    assert len(addresses) >= 5
    for address in addresses:
        answer = client.get(f"/{address}")
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    assert client.get("/static/0123456789ab/style.css").headers["cache-control"] == "no-cache"


@pytest.mark.one_database
@pytest.mark.parametrize("path", ["index.html", "vendor/README.md", "../pages.py", "%2e%2e/pages.py", "nothing.js", ""])
def test_nothing_else_is_sent(path: str, client: TestClient) -> None:
    assert client.get(f"/static/x/{path}").status_code in (404, 307)


@pytest.mark.one_database
def test_a_browser_without_gzip_gets_the_same_bytes(client: TestClient) -> None:
    plain = client.get("/static/x/style.css", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == gzip.decompress(load_files()["style.css"].packed)


def test_modules_are_sent_without_comments_and_line_by_line() -> None:
    files = load_files()
    for name, file in files.items():
        if name.endswith(".js"):
            source = (FOLDER / name).read_bytes()
            assert file.content.count(b"\n") == source.count(b"\n"), name
            if name.startswith("vendor/"):
                assert file.content == source
            else:
                assert b"/**" not in file.content, name
    assert b'from "./vendor/lit.js";' in files["main.js"].content


def test_vendored_bundles_are_what_their_readme_says() -> None:
    readme = (FOLDER / "vendor" / "README.md").read_text()
    named = dict(re.findall(r"\| `([a-z.]+)` \|.*`([0-9a-f]{64})` \|", readme))
    files = {path.name: path for path in (FOLDER / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert named == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert "Copyright (c) 2017 Google LLC" in readme
    assert "Copyright (c) 2022 Leon Sorokin" in readme


def test_every_import_of_a_module_exists() -> None:
    for path in FOLDER.rglob("*.js"):
        if path.parent.name != "vendor":
            for name in IMPORT.findall(path.read_text()):
                assert (path.parent / name).resolve().is_file(), f"{path.name} imports {name}"


def _list_first_load(view: str) -> set[str]:
    """Return the files that a browser loads to show a view, without what it loads later by itself."""
    files = load_files()
    shell = {"index.html", "style.css", "icon.svg", "theme.js", "main.js"}
    waiting = ["main.js", view]
    seen = set(shell)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        folder = (FOLDER / name).parent
        for found in STATIC_IMPORT.findall(files[name].content.decode()):
            target = (folder / found).resolve().relative_to(FOLDER.resolve()).as_posix()
            if target not in seen and not target.startswith("vendor/"):
                waiting.append(target)
            seen.add(target)
    if "vendor/uplot.js" in seen:
        seen.add("vendor/uplot.css")
    entry = next(line for line in files["views.js"].content.decode().splitlines() if f"./{view}" in line)
    return seen | set(re.findall(r'"(\w+\.css)"', entry))


@pytest.mark.parametrize("view", sorted(path.name for path in (FOLDER / "pages").glob("*.js")))
def test_the_first_load_of_a_view_is_below_seventy_kilobytes(view: str) -> None:
    size = sum(len(load_files()[name].packed) for name in _list_first_load(f"pages/{view}"))
    assert size < 70_000, f"{view}: {size} bytes"


def test_modules_are_sent_without_their_documentation_and_with_every_line_in_its_place() -> None:
    source = (FOLDER / "router.js").read_text()
    sent = load_files()["router.js"].content.decode()
    assert "@typedef" in source
    assert "/**" not in sent
    assert sent.count("\n") == source.count("\n")
    assert sent.splitlines().index('export const HOME = "series";') == source.splitlines().index(
        'export const HOME = "series";'
    )
