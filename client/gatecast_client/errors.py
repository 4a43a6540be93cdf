"""Errors of calls: what the service said, and what to do next."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

NEXT_STEP = {
    401: "pass a key with --key or GATECAST_KEY",
    403: "the key lacks the right for this; use another with --key or GATECAST_KEY",
    413: "send less at once, or raise the service's limit",
    503: "the service is not ready; see its log, and try again",
}
"""next step by HTTP status, where the service's response may not say it"""
LOST = "unreachable"
"""code of a call that got no answer"""


class ClientError(Exception):
    """A call that failed: what the service said, and what to do next."""

    def __init__(self, title: str, detail: str, code: str = "", hint: str = "", status: int | None = None) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.title = title
        self.detail = detail
        self.code = code
        """one of the service's error codes, or one of the client's own, such as `unreachable`"""
        self.hint = hint
        self.status = status
        """HTTP status of the answer, None without one"""


@contextmanager
def translate_errors(url: str, call: str) -> Iterator[None]:
    """Raise ClientError for what httpx2 raises while `call`, a method and a path, is made to the service at `url`."""
    try:
        yield
    except httpx2.ConnectError as e:
        hint = "start it with 'gatecast up', or name another address with --url or GATECAST_URL"
        raise ClientError("The service cannot be reached", f"nothing answers at {url}", LOST, hint) from e
    except httpx2.TimeoutException as e:
        hint = "see the service's log; try again, or request less at once"
        raise ClientError("No answer in time", f"{call} at {url}", "timeout", hint) from e
    except httpx2.TransportError as e:
        raise ClientError("The connection broke", str(e), LOST, "see the service's log and try again") from e


def parse_document(answer: httpx2.Response) -> dict[str, Any] | None:
    """Return a JSON object that was answered, or None where the answer is something else."""
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def build_error(answer: httpx2.Response, document: Mapping[str, Any] | None) -> ClientError:
    """Build an error from a problem document; anything else comes from another service, or from a proxy."""
    if document is None or "detail" not in document:
        hint = "check that --url names a Gatecast service"
        excerpt = f"{answer.status_code} from {answer.url}: {answer.text[:200]}"
        return ClientError("Not a Gatecast response", excerpt, "unexpected_answer", hint, answer.status_code)
    fields = [f"{e.get('field', '')}: {e.get('detail', '')}" for e in document.get("errors") or []]
    detail = "\n  ".join([str(document["detail"]), *fields])
    hint = NEXT_STEP.get(answer.status_code, "")
    title = str(document.get("title", answer.status_code))
    return ClientError(title, detail, str(document.get("code", "")), hint, answer.status_code)
