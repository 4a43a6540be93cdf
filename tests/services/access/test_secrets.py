"""Secrets of keys: random, of one form, and with a checksum that finds typos."""

import re

from app.services.access.secrets import digest_secret, is_mistyped, make_secret


def test_secrets_differ_and_have_one_form() -> None:
    made = {make_secret() for _ in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"gk_[0-9A-Za-z]{49}", secret) for secret in made)
    assert len({digest_secret(secret) for secret in made}) == 500


def test_every_typo_of_one_character_is_found() -> None:
    secret = make_secret()
    assert not is_mistyped(secret)
    for at in range(3, len(secret)):
        wrong = secret[:at] + ("a" if secret[at] != "a" else "b") + secret[at + 1 :]
        assert is_mistyped(wrong), at
    swapped = secret[:10] + secret[11] + secret[10] + secret[12:]
    assert is_mistyped(swapped) or secret[10] == secret[11]


def test_keys_of_earlier_releases_and_other_texts_have_no_checksum() -> None:
    for text in ("gk_" + "x" * 43, "gk_a-b_c" + "d" * 38, "", "gk_", "something else", make_secret()[:-1]):
        assert not is_mistyped(text)
