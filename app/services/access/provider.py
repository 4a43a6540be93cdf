"""The identity provider: OpenID Connect's code flow with PKCE, and the keys that tokens are signed with.

Nothing that it says is believed before it is checked: endpoints have to be at secure addresses, answers are bounded in
size and time, tokens have to be signed by the keys it publishes, with an asymmetric algorithm, for this service.
"""

import contextlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import JWSRegistry

from app.config import Settings, is_loopback
from app.errors import ErrorCode, Unauthorized, Unavailable
from app.logs import get_logger

log = get_logger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""of signatures; none with a secret that two share, and not `none`"""
LEEWAY_SECONDS = 60
"""by which the clocks of provider and service may differ"""
SECONDS = 5.0
"""that one call of the provider may take, from one byte to the next"""
MOST_BYTES = 1_000_000
"""of an answer"""
FRESH_SECONDS = 3600.0
"""for which the provider's addresses and keys are kept"""
WAIT_SECONDS = 1.0
"""for somebody else's first look at them"""
PAUSE_SECONDS = 30.0
"""between two looks at them because a token names an unknown key, or the provider did not answer"""
LONGEST_TOKEN = 16_000
"""characters"""


@dataclass(frozen=True)
class LoginAttempt:
    """A login that has begun: where the browser goes, and what it brings back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class _Published:
    """What the provider publishes."""

    document: dict[str, Any]
    keys: KeySet
    read_at: float
    """monotonic seconds"""


class Provider:
    """One identity provider. Any thread may call it."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None, "there is one"
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._client_id = settings.oidc_client_id or ""
        file = settings.oidc_client_secret_file
        self._secret = None if file is None else file.read_text().strip()
        self._audience = settings.oidc_audience or self._client_id
        self._scope = settings.oidc_scope
        self.redirect_uri = f"{(settings.public_url or '').rstrip('/')}/login/callback"
        self._may_be_insecure = urlsplit(self._issuer).scheme == "http"
        self._lock = threading.Lock()
        self._published: _Published | None = None
        self._tried_at = float("-inf")

    def begin(self) -> LoginAttempt:
        """Begin a login. Raises Unavailable."""
        document = self._read().document
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        with self._open_client() as client:
            url, state = client.create_authorization_url(
                self._find_endpoint(document, "authorization_endpoint"), code_verifier=verifier, nonce=nonce
            )
        return LoginAttempt(url, state, nonce, verifier)

    def finish(self, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Return the claims of whoever has logged in. Raises Unauthorized, Unavailable."""
        document = self._read().document
        try:
            with self._open_client() as client:
                token = client.fetch_token(
                    self._find_endpoint(document, "token_endpoint"), code=code, code_verifier=verifier
                )
                claims = self._verify(str(token.get("id_token", "")), self._client_id)
                if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
                    raise _refuse("its answer belongs to another login")
                if claims.get("azp", self._client_id) != self._client_id:
                    raise _refuse("its token is for another service")
                return {**self._read_person(client, document, str(claims["sub"])), **claims}
        except OAuthError as e:
            raise _refuse(f"it says {e.error!r}") from e
        except (httpx2.HTTPError, ValueError) as e:
            raise _unavailable(e) from e

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that a program sends. Raises Unauthorized, Unavailable."""
        return self._verify(token, self._audience)

    def _verify(self, token: str, audience: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise _refuse_token("it is too long")
        published = self._read()
        try:
            claims = self._decode(token, published)
            checks = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": published.document["issuer"]},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
                sub={"essential": True},
            )
            checks.validate(claims)
        except ExpiredTokenError as e:
            raise _refuse_token("it has expired; sign in again, or get a new one") from e
        except (JoseError, ValueError, TypeError, KeyError) as e:  # the last two are of odd headers
            raise _refuse_token(f"it does not hold ({type(e).__name__})") from e
        return claims

    def _decode(self, token: str, published: _Published) -> dict[str, Any]:
        """Return what a signed token says; where its key is unknown, look once more for new ones."""
        registry = JWSRegistry(algorithms=list(ALGORITHMS))
        try:
            return jwt.decode(token, published.keys, algorithms=ALGORITHMS, registry=registry).claims
        except InvalidKeyIdError:
            return jwt.decode(token, self._read(renew=True).keys, algorithms=ALGORITHMS, registry=registry).claims

    def _read_person(self, client: OAuth2Client, document: dict[str, Any], subject: str) -> dict[str, Any]:
        """Return what the provider tells of a person beside their token."""
        if "userinfo_endpoint" not in document:
            return {}
        answer = client.get(self._find_endpoint(document, "userinfo_endpoint"))
        answer.raise_for_status()
        told = answer.json()
        if not isinstance(told, dict) or told.get("sub") != subject:
            raise _refuse("it tells of somebody else")
        return told

    def _read(self, *, renew: bool = False) -> _Published:
        """Return what the provider publishes, which is read again after an hour. Raises Unavailable."""
        before = self._published
        if before is not None and not renew and time.monotonic() - before.read_at < FRESH_SECONDS:
            return before
        # one asks the provider, and the others go on with what there is: it may take long to answer, or never do
        if not self._lock.acquire(timeout=WAIT_SECONDS if before is None else 0):
            return self._use(before)
        try:
            return self._renew()
        finally:
            self._lock.release()

    def _renew(self) -> _Published:
        """Read what the provider publishes, unless that was tried just now."""
        before, moment = self._published, time.monotonic()
        if moment - self._tried_at < PAUSE_SECONDS:
            return self._use(before)
        self._tried_at = moment
        try:
            self._published = self._fetch(moment)
        except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError) as e:
            log.warning("identity_provider_away", detail=f"{type(e).__name__}: {e}"[:200])
            return self._use(before)
        return self._published

    def _use(self, before: _Published | None) -> _Published:
        """Return what was published before. Raises Unavailable where nothing is known."""
        if before is None:
            raise _unavailable(ValueError("nothing is known of it"))
        return before

    def _fetch(self, moment: float) -> _Published:
        with httpx2.Client(timeout=SECONDS, transport=_Bounded()) as client:
            document = client.get(f"{self._issuer}/.well-known/openid-configuration").raise_for_status().json()
            if str(document["issuer"]).rstrip("/") != self._issuer:
                raise ValueError("the issuer is another")
            keys = client.get(self._find_endpoint(document, "jwks_uri")).raise_for_status().json()
        return _Published(document, _read_keys(keys), moment)

    def _open_client(self) -> OAuth2Client:
        return OAuth2Client(
            self._client_id,
            self._secret,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope=self._scope,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            timeout=SECONDS,
            transport=_Bounded(),
        )

    def _find_endpoint(self, document: dict[str, Any], name: str) -> str:
        """Return an address that the provider names. Raises Unavailable for one that is not secure."""
        address = str(document.get(name, ""))
        parts = urlsplit(address)
        is_local = self._may_be_insecure and parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not is_local:
            raise _unavailable(ValueError(f"{name} is no secure address"))
        return address


def _read_keys(document: Any) -> KeySet:
    """Return the keys of a set that can be used; those of kinds that are not known are no reason to refuse the others.

    Raises ValueError where there is none. (RFC 7517, section 5.)
    """
    keys = []
    for one in document["keys"]:
        with contextlib.suppress(JoseError, ValueError, KeyError, TypeError):
            keys.append(JWKRegistry.import_key(one))
    if not keys:
        raise ValueError("it publishes no key that can be used")
    return KeySet(keys)


class _Bounded(httpx2.HTTPTransport):
    """Ends an answer that is longer than MOST_BYTES."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream), "it was asked for without a loop"
        response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for part in self._stream:
            taken += len(part)
            if taken > MOST_BYTES:
                raise ValueError("the answer is too long")
            yield part

    def close(self) -> None:
        self._stream.close()


def _refuse(reason: str) -> Unauthorized:
    detail = f"the identity provider did not confirm the login: {reason}; try again"
    return Unauthorized(ErrorCode.login_refused, detail)


def _refuse_token(reason: str) -> Unauthorized:
    detail = f"this token is not accepted: {reason}"
    return Unauthorized(ErrorCode.unauthorized, detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _unavailable(error: Exception) -> Unavailable:
    log.warning("identity_provider_failed", detail=f"{type(error).__name__}: {error}"[:200])
    detail = "the identity provider does not answer as it should; try again, or use a key"
    return Unavailable(ErrorCode.login_unavailable, detail, headers={"Retry-After": "30"})
