"""Secrets of keys: 256 random bits in base62 behind `gk_`, and a checksum that tells a typo from a revoked key."""

import hashlib
import re
import secrets
import zlib

PREFIX = "gk_"
SHOWN = len(PREFIX) + 6
"""characters of a secret by which its owner knows it again"""
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 43
"""base62 digits of 256 bits"""
_CHECKSUM = 6
"""base62 digits of 32 bits"""
_WITH_CHECKSUM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECKSUM}}}")
"""keys of earlier releases are shorter, and have none"""


def make_secret() -> str:
    """Return a new secret."""
    body = _encode(secrets.randbits(256), _BODY)
    return f"{PREFIX}{body}{_compute_checksum(body)}"


def is_mistyped(secret: str) -> bool:
    """Say whether a secret that has a checksum does not fit it."""
    if _WITH_CHECKSUM.fullmatch(secret) is None:
        return False
    body = secret[len(PREFIX) :][:_BODY]
    return secret[-_CHECKSUM:] != _compute_checksum(body)


def digest_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret, which is all that is stored: 256 random bits need no slower hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _compute_checksum(body: str) -> str:
    return _encode(zlib.crc32(f"{PREFIX}{body}".encode()), _CHECKSUM)


def _encode(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
