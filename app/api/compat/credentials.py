"""Where clients of other services' protocols put a key."""

import base64
import binascii

from fastapi import Request

SCHEMES = frozenset({"bearer", "token"})
"""InfluxDB's clients say Token"""


def find_secret(request: Request) -> str:
    """Return the key of a request, sent as Bearer, as Token or as the password of Basic; empty where there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in SCHEMES:
        return secret.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(secret.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
