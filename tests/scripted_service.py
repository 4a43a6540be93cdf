"""A real HTTP server in a thread that gives the answers it was told to, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

NO_PROGRESS = {
    "fraction": 0.0,
    "epoch": None,
    "epochs": None,
    "train_loss": None,
    "val_loss": None,
    "eta_s": None,
}


LOST = object()
"""an answer that is none: the connection is closed"""


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScriptedService:
    """`answers[(method, path)]` are given one after another; the last one stays."""

    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, *answers: Any, status: int = 200) -> None:
        """Script a route: each answer is a JSON document, or (status, document), raw bytes, or LOST."""
        self.answers[method, path] = [a if isinstance(a, tuple) else (status, a) for a in answers]

    def problem(self, method: str, path: str, status: int, **document: Any) -> None:
        """Script a problem document."""
        self.on(
            method,
            path,
            {"type": "about:blank", "title": "Refused", "status": status, **document},
            status=status,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        self.asked.append(asked)
        script = self.answers.get((asked.method, asked.path), [(404, {"title": "Not found", "detail": asked.path})])
        return script.pop(0) if len(script) > 1 else script[0]


def job(status: str, **more: Any) -> dict[str, Any]:
    """Return a training job of the model `m`."""
    plain = {
        "id": "j1",
        "kind": "train",
        "status": status,
        "progress": NO_PROGRESS,
        "attempt": 1,
        "model": "m",
    }
    return {**plain, "version": None, "error": None, **more}


def progress(epoch: int, epochs: int) -> dict[str, Any]:
    """Return the progress of a running job."""
    losses = {"train_loss": 0.5 / epoch, "val_loss": 0.6 / epoch}
    return {"fraction": epoch / epochs, "epoch": epoch, "epochs": epochs, **losses, "eta_s": 12.4, "trial": None}


def _handler(answer: Callable[[Asked], tuple[int, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self._body()
            status, document = answer(Asked(self.command, parts.path, parse_qs(parts.query), headers, body))
            if document is LOST:
                self.close_connection = True
                return
            raw = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = do_PUT = do_DELETE = _do

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
