"""Where clients of other services' protocols put a key."""

import base64
import binascii

from fastapi import Request

BEARER = "bearer"


def find_secret(request: Request, *schemes: str) -> str:
    """Return the key of a request, as Bearer, by another of the named schemes, or as the password of Basic.

    It is empty where there is none.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in (BEARER, *schemes):
        return secret.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(secret.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
