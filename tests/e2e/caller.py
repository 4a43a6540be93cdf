"""One client's connections to API processes, and the times between which each request was under way."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An answer, and when its request was begun and ended."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    begin: float
    end: float

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


class Caller:
    """Asks any of the processes; a connection that was closed is opened again. For one thread, to be closed."""

    def __init__(self, urls: list[str], timeout: float = 60.0) -> None:
        self.urls = urls
        self._connections = {url: HTTPConnection(urlsplit(url).netloc, timeout=timeout) for url in urls}

    def ask(self, url: str, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a request, again where the connection turns out to be closed, and return the answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        named = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection = self._connections[url]
        begin = time.monotonic()
        try:
            connection.request(method, path, data, named)
            answer = connection.getresponse()
        except (HTTPException, ConnectionError):
            connection.close()
            connection.request(method, path, data, named)
            answer = connection.getresponse()
        content = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, content, begin, time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._connections.values():
            connection.close()
