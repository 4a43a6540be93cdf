"""Sends the page: one document, and static files at addresses that change with their bytes."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "static"
DOCUMENT = "index.html"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
"""by suffix; anything else in the folder is not sent"""
POLICY = "; ".join([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
])  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_NAMED_HEADERS = {"X-Content-Type-Options": "nosniff"}
"""of what the document names: its policy is what browsers follow for them, and each is sent by itself"""
_FOREVER = "public, max-age=31536000, immutable"
_GZIP_LEVEL = 9
_COMMENTS = {".js": re.compile(rb"/\*\*.*?\*/", re.DOTALL), ".css": re.compile(rb"/\*.*?\*/", re.DOTALL)}
"""by suffix: types and documentation, which no browser needs, are an eighth of what a view with a chart loads"""
_INDENTATION = re.compile(rb"^ +", re.MULTILINE)
"""a fiftieth of it; no text between backquotes depends on it"""


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    packed: bytes
    """the content as gzip"""
    media_type: str
    tag: str


@cache
def load_files() -> Mapping[str, StaticFile]:
    """Return {path below the folder: file}; the document names the version of all the others."""
    contents = {
        path.relative_to(FOLDER).as_posix(): _read(path) for path in sorted(FOLDER.rglob("*")) if path.suffix in TYPES
    }
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    version = digest.hexdigest()[:12]
    contents[DOCUMENT] = contents[DOCUMENT].replace(b"VERSION", version.encode())
    return {name: _pack(name, content) for name, content in contents.items()}


def _read(path: Path) -> bytes:
    """Return a file as it is sent: ours without their comments and indentation, every line where it was."""
    content = path.read_bytes()
    if path.suffix not in _COMMENTS or path.parent.name == "vendor":
        return content
    spoken = _COMMENTS[path.suffix].sub(lambda comment: b"\n" * comment[0].count(b"\n"), content)
    return _INDENTATION.sub(b"", spoken)


def _pack(name: str, content: bytes) -> StaticFile:
    media_type = f"{TYPES[Path(name).suffix]}; charset=utf-8"
    packed = gzip.compress(content, _GZIP_LEVEL, mtime=0)
    return StaticFile(content, packed, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')


@router.get("/")
def get_page(request: Request) -> Response:
    """Answer the document, which is asked for again each time."""
    return _answer(request, load_files()[DOCUMENT], HEADERS | {"Cache-Control": "no-cache"})


@router.get("/static/{version}/{path:path}")
def get_file(version: str, path: str, request: Request) -> Response:
    """Answer a file, which browsers keep. An older version's address answers the newest file, and is not kept."""
    file = load_files().get(path)
    if file is None or path == DOCUMENT:
        return Response("not found\n", 404, headers=HEADERS, media_type="text/plain")
    current = f"static/{version}/".encode() in load_files()[DOCUMENT].content
    return _answer(request, file, _NAMED_HEADERS | {"Cache-Control": _FOREVER if current else "no-cache"})


def _answer(request: Request, file: StaticFile, headers: dict[str, str]) -> Response:
    headers = headers | {"ETag": file.tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
