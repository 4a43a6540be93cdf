"""What a process writes down: no key, no token, no signature and no webhook's secret, whatever fails."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.processes import Service

KEY = "gk_" + "k" * 40
WRONG = "gk_" + "w" * 40
WEBHOOK = "webhook-secret-" + "s" * 20


def call(service: Service, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    """Call the service; return status and text, of errors too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(service.url + path, data, headers, method=method)
    request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


@pytest.mark.parametrize("log_format", ["json", pytest.param("console", marks=pytest.mark.slow)])
@pytest.mark.one_database("postgresql")
def test_no_secret_is_written_down(service: Service, log_format: str) -> None:
    file = service.folder / "key"
    file.write_text(KEY)
    service.environment |= {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(file)}
    service.environment["GATECAST_LOG_FORMAT"] = log_format
    service.serve()
    own = {"authorization": f"Bearer {KEY}"}
    alert = {
        "on": "data",
        "series": {"labels": {"a": "b"}},
        "when": {"silent_for": "6h"},
        "send": [{"webhook": "https://hooks.example.org/" + WEBHOOK, "secret": WEBHOOK}],
    }
    made = json.loads(call(service, "POST", "/keys", {"name": "n", "scopes": ["read"]}, **own)[1])["key"]
    status, told = call(service, "POST", "/forecast/chart", {"model": "auto", "series": ["x"], "expires_in": 60}, **own)
    assert status == 200, told
    parts = urlsplit(json.loads(told)["url"])
    link = f"{parts.path}?{parts.query}"
    signature = parse_qs(parts.query)["signature"][0]
    statuses = [
        call(service, "GET", link)[0],
        call(service, "GET", link.replace("series=x", "series=y"))[0],
        call(service, "GET", f"/nowhere?p={WRONG}&{parts.query}", **own)[0],
        call(service, "GET", "/series", authorization=f"Bearer {WRONG}")[0],
        call(service, "POST", f"/write?db=d&p={KEY}", "cpu v=1")[0],
        call(service, "PUT", "/alerts/quiet", alert, **own)[0],
    ]
    assert statuses == [404, 403, 404, 401, 400, 201]
    # the statements of these calls fail in the middle
    database = Database(Settings(database_url=service.environment["GATECAST_DATABASE_URL"]).database)
    with database.write() as session:
        for table in ("alerts", "api_keys"):  # PostgreSQL shows the row that fails
            session.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (pk < 0) NOT VALID"))
        session.execute(text("ALTER TABLE link_secrets RENAME TO lost"))
    database.dispose()
    broken = [
        call(service, "PUT", "/alerts/other", alert, **own),
        call(service, "POST", "/keys", {"name": "n", "scopes": ["read"]}, **own),
        call(service, "GET", link),
    ]
    assert [status for status, _ in broken] == [500, 500, 500], broken
    service.process("api").terminate()
    service.process("api").wait(30)
    log = service.log("api")
    assert log.count("violates check constraint") >= 2
    assert "does not exist" in log
    assert "/forecast/chart" in log
    answers = "".join(told for _, told in broken)
    for secret in (KEY, WRONG, WEBHOOK, signature, made):
        assert secret not in log
        assert secret not in answers
