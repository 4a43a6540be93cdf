"""Logging in with an identity provider, Canaille, which the tests run; and tokens that programs send."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import orjson
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pytest_iam import Server
from sqlalchemy import select, update

from app.api.cookies import LOGIN, SESSION
from app.config import Settings
from app.main import create_app
from app.storage.engine import Database
from app.storage.tables import AuditEntry, LoginSession

PUBLIC = "https://forecasts.test"
CLIENT, SECRET = "gatecast", "a secret that two know"
OWN = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}
GRANTS = [
    {"claim": "groups", "value": "ml", "scopes": ["read", "forecast", "train"]},
    {"claim": "groups", "value": "data", "scopes": ["read", "write"]},
    {"claim": "groups", "value": "partners", "scopes": ["read"], "project": "partners"},
    {"claim": "role", "value": "robot", "scopes": ["forecast"]},
]


@contextmanager
def register(provider: Server, url: str, **options: Any) -> Iterator[None]:
    """Let the provider know a service meanwhile; afterwards nobody is logged in."""
    client = provider.models.Client(
        client_name="Gatecast",
        client_uri=url,
        redirect_uris=[f"{url}/login/callback"],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        **options,
    )
    provider.backend.save(client)
    client.audience = [client]
    provider.backend.save(client)
    yield
    provider.logout()
    provider.backend.delete(client)


@pytest.fixture
def registered(iam_server: Server) -> Iterator[Server]:
    """The provider, which knows this service."""
    known = {"client_id": CLIENT, "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_basic"}
    with register(iam_server, PUBLIC, **known):
        yield iam_server


def add_person(provider: Server, name: str, *groups: str) -> Any:
    """Register a person, who is then logged in at the provider, and lets this service know who it is."""
    person = provider.random_user(user_name=name, emails=[f"{name}@example.org"], formatted_name=name.title())
    for group in groups:
        provider.random_group(display_name=group, members=[person])
    provider.backend.reload(person)
    provider.login(person)
    provider.consent(person)
    return person


@dataclass
class Browser:
    """A browser that may log in."""

    client: TestClient
    cookies: dict[str, str]

    def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Call the service; keep the cookies that it sets."""
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= more.pop("headers", {})
        answer: httpx2.Response = self.client.request(method, path, headers=headers, follow_redirects=False, **more)
        for cookie in answer.headers.get_list("set-cookie"):
            pair, *attributes = cookie.split("; ")
            assert {"Path=/", "Secure", "HttpOnly"} <= set(attributes)
            name, _, value = pair.partition("=")
            self.cookies[name] = value
        return answer

    def go_to_provider(self, view: str = "") -> dict[str, str]:
        """Begin a login; return what the provider sends the browser back with."""
        begun = self.call("GET", "/login", params={"view": view})
        assert begun.status_code == 303, begun.text
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
        assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{PUBLIC}/login/callback")
        answer = httpx2.get(begun.headers["location"])
        assert answer.status_code == 302, answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    def log_in(self, view: str = "") -> httpx2.Response:
        return self.call("GET", "/login/callback", params=self.go_to_provider(view))


def make_settings(settings: Settings, provider: Server, **more: Any) -> Settings:
    secret = settings.data_dir / "client-secret"
    secret.write_text(SECRET + "\n")
    bootstrap = settings.data_dir / "key"
    bootstrap.write_text("gk_" + "b" * 40)
    return Settings.model_validate(
        settings.model_dump(exclude={"on_loopback"})
        | {
            "auth": "on",
            "bootstrap_key_file": bootstrap,
            "public_url": PUBLIC,
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret_file": secret,
            "oidc_scope": "openid profile email groups",
            "oidc_grants": GRANTS,
        }
        | more
    )


@pytest.fixture
def browser(settings: Settings, registered: Server) -> Iterator[Browser]:
    with TestClient(create_app(make_settings(settings, registered)), base_url=PUBLIC) as client:
        yield Browser(client, {})


def why(answer: httpx2.Response) -> str:
    """Return why the page says that a login did not work."""
    assert answer.status_code == 303
    assert SESSION not in answer.headers.get("set-cookie", "")
    return answer.headers["location"].partition("#/login?why=")[2]


def test_a_login_gives_what_the_claims_grant(browser: Browser, registered: Server, database: Database) -> None:
    assert browser.call("GET", "/access").status_code == 401
    assert browser.call("GET", "/login/methods").json() == {"provider": True}
    add_person(registered, "ann", "ml", "data")
    answer = browser.log_in("/models?q=a")
    assert (answer.status_code, answer.headers["location"]) == (303, "../#/models?q=a")
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert browser.cookies[LOGIN] == ""
    access = browser.call("GET", "/access").json()
    assert access["rights"] == ["read", "forecast", "write", "train"]
    assert (access["project"], access["key"], access["who"]) == ("default", None, "user ann@example.org (ann)")
    made = browser.call("POST", "/series", json={"id": "a", "freq": "h"}, headers=OWN)
    assert made.status_code == 201, made.text
    assert browser.call("GET", "/keys").json()["code"] == "scope_missing"
    assert browser.call("GET", "/forecast?model=auto&series=a").status_code == 200  # the fast route knows cookies too
    link = browser.call(
        "POST", "/forecast/chart", json={"model": "auto", "series": ["a"], "expires_in": 60}, headers=OWN
    )
    assert (link.status_code, link.json()["code"]) == (403, "forbidden")  # it would end with a key, and there is none
    with database.read() as session:
        entries = session.execute(select(AuditEntry.who, AuditEntry.action).order_by(AuditEntry.pk)).all()
        stored = session.execute(select(LoginSession)).scalar_one()
    assert ("user ann@example.org (ann)", "session.begin") in entries
    assert ("user ann@example.org (ann)", "series.create") in entries
    assert browser.cookies[SESSION].encode() not in stored.digest
    stolen = browser.cookies[SESSION]
    assert browser.call("POST", "/logout", headers=OWN).status_code == 204
    assert browser.cookies[SESSION] == ""
    browser.cookies[SESSION] = stolen
    assert browser.call("GET", "/access").status_code == 401


@pytest.mark.one_database
def test_a_session_ends_in_time(browser: Browser, registered: Server, database: Database) -> None:
    add_person(registered, "bea", "ml")
    assert "Max-Age=43200" in browser.log_in().headers["set-cookie"]
    with database.write() as session:
        session.execute(update(LoginSession).values(expires_at=1))
    refused = browser.call("GET", "/series")
    assert (refused.status_code, refused.json()["detail"]) == (401, "this session has ended; sign in again")
    browser.log_in()
    with database.read() as session:  # those that are over are forgotten
        assert len(session.execute(select(LoginSession)).scalars().all()) == 1


@pytest.mark.one_database
def test_an_account_without_a_grant_is_refused(browser: Browser, registered: Server) -> None:
    add_person(registered, "cleo", "sales")
    assert why(browser.log_in()) == "forbidden"
    assert browser.call("GET", "/access").status_code == 401
    add_person(registered, "dora", "partners")
    assert why(browser.log_in()) == "forbidden"
    admin = {"authorization": "Bearer gk_" + "b" * 40}
    assert browser.client.put("/projects/partners", json={}, headers=admin).status_code == 201
    browser.log_in()
    assert browser.call("GET", "/access").json()["project"] == "partners"


@pytest.mark.one_database
def test_a_login_that_the_provider_refuses_opens_nothing(browser: Browser, registered: Server) -> None:
    add_person(registered, "ella", "ml")
    told = browser.go_to_provider()
    refused = {"state": told["state"], "error": "access_denied", "error_description": "<b>no</b>"}
    assert why(browser.call("GET", "/login/callback", params=refused)) == "login_refused"
    for place in (1, 2):  # of the nonce, which is in the provider's token, and of what PKCE proves
        told = browser.go_to_provider()
        begun = orjson.loads(base64.urlsafe_b64decode(browser.cookies[LOGIN]))
        begun[place] = "x" * 64
        browser.cookies[LOGIN] = base64.urlsafe_b64encode(orjson.dumps(begun)).decode()
        assert why(browser.call("GET", "/login/callback", params=told)) == "login_refused"
    assert browser.call("GET", "/access").status_code == 401


@pytest.mark.one_database
def test_a_stolen_state_opens_nothing_in_another_browser(browser: Browser, registered: Server) -> None:
    add_person(registered, "fay", "ml")
    told = browser.go_to_provider()
    thief = Browser(browser.client, {})
    assert why(thief.call("GET", "/login/callback", params=told)) == "login_refused"
    made = [told["state"], "a nonce", "a verifier" * 5, ""]  # a cookie that fits the state, and not what it began with
    thief.cookies[LOGIN] = base64.urlsafe_b64encode(orjson.dumps(made)).decode()
    assert why(thief.call("GET", "/login/callback", params=told)) == "login_refused"
    assert why(browser.call("GET", "/login/callback", params=told | {"state": ""})) == "login_refused"
    for broken in ("x", "W10=", "eyJ", "WyJhIiwgImIiLCAiYyIsICI8Il0="):
        browser.cookies[LOGIN] = broken
        assert why(browser.call("GET", "/login/callback", params=told)) == "login_refused"


@pytest.mark.one_database
def test_cookies_of_others_are_in_nobody_s_way(browser: Browser, registered: Server) -> None:
    """Other services on a host set cookies that are no cookies, and long ones take long to read."""
    add_person(registered, "gil", "ml")
    browser.log_in()
    own = f"{SESSION}={browser.cookies[SESSION]}"
    odd = ['prefs={"a":"b"}', "foo[bar]=1", 'flag=a"b', "a b=c", "=", "x" * 50_000, 'q="' + "\\" * 50_000 + '"']
    for cookie in (*(f"{one}; {own}" for one in odd), *(f"{own};{one}" for one in odd)):
        for path in ("/access", "/forecast?model=auto&series=a"):
            answer = browser.client.get(path, headers={"cookie": cookie})
            assert answer.status_code == (200 if path == "/access" else 404), cookie[:50]
    began = time.perf_counter()
    forged = f'{SESSION}="' + "\\" * 60_000 + '"'
    assert browser.client.get("/access", headers={"cookie": forged}).status_code == 401
    assert browser.client.get("/forecast?model=auto&series=a", headers={"cookie": forged}).status_code == 401
    assert time.perf_counter() - began < 5  # it took twenty seconds each


@pytest.mark.one_database
def test_pages_of_other_sites_change_nothing(browser: Browser, registered: Server) -> None:
    add_person(registered, "gus", "data")
    browser.log_in()
    body = {"id": "b", "freq": "h"}
    for foreign in (
        {"sec-fetch-site": "cross-site", "origin": "https://evil.test"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"origin": "http://[x"},
        {},
    ):
        refused = browser.call("POST", "/series", json=body, headers=foreign)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        refused = browser.call("POST", "/forecast", json={"model": "auto", "series": ["b"]}, headers=foreign)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert browser.call("POST", "/logout", headers=foreign).status_code == 403
    assert browser.call("POST", "/series", json=body, headers={"origin": PUBLIC}).status_code == 201
    # a key is sent by nobody's browser on its own
    key = {"authorization": "Bearer gk_" + "b" * 40, "sec-fetch-site": "cross-site"}
    assert browser.call("POST", "/series", json={"id": "c", "freq": "h"}, headers=key).status_code == 201


@pytest.mark.one_database
@pytest.mark.parametrize("view", ["//evil.test", "\\evil", "/x#y", "javascript:alert(1)", "/a\r\nx: y", "x" * 501])
def test_a_login_returns_to_the_page_and_nowhere_else(browser: Browser, registered: Server, view: str) -> None:
    add_person(registered, "hal", "ml")
    location = browser.log_in(view).headers["location"]
    assert location.startswith("../#")
    assert urlsplit(location).netloc == ""
    assert "\n" not in location


# tokens of programs


def sign(provider: Server, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return a token as the provider signs them."""
    own = provider.app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"][0]
    now = int(time.time())
    issuer = httpx2.get(f"{provider.url}.well-known/openid-configuration").json()["issuer"]
    standard = {"iss": issuer, "aud": CLIENT, "sub": "robot-7", "iat": now, "exp": now + 600, "role": "robot"}
    whole = {name: value for name, value in (standard | claims).items() if value is not None}
    named = {"alg": "RS256", "kid": own["kid"], **(header or {})}
    return jwt.encode(named, whole, key or RSAKey.import_key(own), algorithms=["RS256", "HS256"])


def odd_header(provider: Server) -> str:
    """Return a header whose list of critical parameters is no list."""
    kid = provider.app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"][0]["kid"]
    header = orjson.dumps({"alg": "RS256", "kid": kid, "crit": 1})
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode()


def ask(browser: Browser, token: str, path: str = "/access") -> httpx2.Response:
    return browser.client.get(path, headers={"authorization": f"Bearer {token}"})


def test_a_token_of_the_provider_is_as_good_as_a_key(browser: Browser, registered: Server) -> None:
    access = ask(browser, sign(registered))
    assert access.status_code == 200, access.text
    assert (access.json()["rights"], access.json()["who"]) == (["forecast"], "user robot-7")
    assert ask(browser, sign(registered), "/series").json()["code"] == "scope_missing"
    missing = ask(browser, sign(registered), "/forecast?model=auto&series=nothing")
    assert missing.status_code == 404 or missing.json()["forecasts"][0]["error"]["code"] == "series_not_found"
    assert ask(browser, sign(registered, aud=["other", CLIENT])).status_code == 200


@pytest.mark.one_database
def test_tokens_that_do_not_hold_are_refused(browser: Browser, registered: Server) -> None:
    now = int(time.time())
    public = httpx2.get(httpx2.get(f"{registered.url}.well-known/openid-configuration").json()["jwks_uri"]).json()
    refused = {
        "expired": sign(registered, exp=now - 120),
        "not valid yet": sign(registered, nbf=now + 600),
        "never ends": sign(registered, exp=None),
        "of nobody": sign(registered, sub=None),
        "for another service": sign(registered, aud="other"),
        "for none": sign(registered, aud=None),
        "of another issuer": sign(registered, iss="https://evil.test"),
        "signed by another": sign(registered, RSAKey.generate_key(2048)),
        "signed by an unknown key": sign(registered, RSAKey.generate_key(2048), {"kid": "other"}),
        "signed with the public key as a secret": sign(
            registered, OctKey.import_key(public["keys"][0]["n"]), {"alg": "HS256"}
        ),
        "cut": sign(registered)[:-8],
        "too long": sign(registered, more="x" * 20_000),
        "with an odd header": ".".join([odd_header(registered), *sign(registered).split(".")[1:]]),
    }
    for name, token in refused.items():
        answer = ask(browser, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), name
        assert token not in answer.text
    assert "has expired" in ask(browser, refused["expired"]).json()["detail"]
    assert ask(browser, sign(registered, exp=now - 30)).status_code == 200  # clocks differ
    unsigned = "eyJhbGciOiJub25lIn0." + sign(registered).split(".")[1] + "."
    assert ask(browser, unsigned).status_code == 401
    assert ask(browser, sign(registered, role="human")).json()["code"] == "forbidden"


@pytest.mark.one_database
def test_keys_go_on_while_the_provider_is_away(
    settings: Settings, registered: Server, tmp_path: Path, iam_server_port: int
) -> None:
    away = make_settings(settings, registered, oidc_issuer="http://127.0.0.1:9/")
    with TestClient(create_app(away), base_url=PUBLIC) as client:
        browser = Browser(client, {})
        assert why(browser.call("GET", "/login")) == "login_unavailable"
        answer = ask(browser, sign(registered))
        assert (answer.status_code, answer.json()["code"]) == (503, "login_unavailable")
        assert ask(browser, "gk_" + "b" * 40).status_code == 200


@pytest.mark.one_database
def test_what_is_logged_names_no_secret(
    browser: Browser, registered: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    add_person(registered, "ida", "ml")
    told = browser.go_to_provider()
    browser.call("GET", "/login/callback", params=told)
    token = sign(registered)
    ask(browser, token)
    ask(browser, sign(registered, aud="other"))
    browser.call("GET", "/login/callback", params=told | {"code": "guessed-code"})
    text = "".join(capfd.readouterr())
    assert "/login/callback" in text
    for secret in (
        told["code"],
        told["state"],
        "guessed-code",
        token,
        token.split(".")[2],
        browser.cookies[SESSION],
        SECRET,
    ):
        assert secret not in text


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "https://"),
        ({"public_url": None}, "GATECAST_PUBLIC_URL"),
        ({"oidc_client_id": None}, "GATECAST_OIDC_CLIENT_ID"),
        ({"oidc_grants": ""}, "GATECAST_OIDC_GRANTS"),
        ({"oidc_grants": "ml=read"}, "JSON"),
        ({"oidc_grants": '[{"claim": "a", "value": "b", "scopes": ["fly"]}]'}, "scopes"),
        ({"auth": "off"}, "GATECAST_AUTH=on"),
    ],
)
def test_half_a_configuration_is_refused(wrong: dict[str, Any], reason: str) -> None:
    whole = {
        "auth": "on",
        "public_url": PUBLIC,
        "oidc_issuer": "https://id.example.org",
        "oidc_client_id": CLIENT,
        "oidc_grants": '[{"claim": "groups", "value": "ml", "scopes": ["read"]}]',
    }
    assert Settings.model_validate(whole).oidc_grants[0].project == "default"
    with pytest.raises(ValueError, match=reason):
        Settings.model_validate(whole | wrong)
