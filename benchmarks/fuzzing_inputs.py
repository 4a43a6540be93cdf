"""Inputs for parsers: of a grammar, valid ones that are changed a little, and noise. Each is known by its number."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

LARGEST = 64 * 1024
"""bytes of an input"""
MOST_CHANGES = 6
"""of one input"""
DEEPEST = 12
"""rules within rules"""
_RULE = re.compile(r"<(\w+)>")
_NUMBERS = (0, 1, 2, 7, 63, 64, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63)
_WORDS = (
    b"", b"0", b"-1", b"1e999", b"nan", b"inf", b"null", b"true", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"'",
    b"\\",
    b"%", b"{", b"}", b"[", b"]", b"(", b")", b",", b";", b":", b"=", b"\n", b"\r\n", b"\t", b" ", b"~", b"#", b"@",
    b"*",
    b"9999999999999999999999", b"-9223372036854775808", b"0x1F", b"1_000", b"2024-01-01", b"../..", b"%00", b"%ud800",
)  # fmt: skip
"""what stands in inputs of many formats, or is odd in them"""
_CHARACTERS = (
    "\x00\x01\x1b\x7f\x80\x85\xa0\u00b5\u00df\u0130\u0301\u0660\u200b\u2028\u202e\u2212"
    "\u3000\ud800\udfff\ufeff\uffff\U0001f600"
)
"""a digit that is none of ASCII, blanks, marks, signs of direction and halves of characters among them"""
Grammar = Mapping[str, Sequence[str]]
"""rule → what may stand for it, in which `<name>` stands for another rule, if there is one; an input is `start`"""
Builder = Callable[[Random], bytes]
"""what makes one input, by a grammar"""


def expand(random: Random, grammar: Grammar, rule: str = "start", depth: int = 0) -> str:
    """Return a text of a grammar; too deep in it, of the first alternatives, which name no rule of their own."""
    if rule not in grammar:
        return f"<{rule}>"
    alternatives = grammar[rule]
    chosen = alternatives[0] if depth > DEEPEST else random.choice(alternatives)
    return _RULE.sub(lambda match: expand(random, grammar, match[1], depth + 1), chosen)


def of_grammar(grammar: Grammar) -> Builder:
    """Return what makes texts of a grammar."""
    return lambda random: encode(expand(random, grammar))


def encode(text: str) -> bytes:
    """Return the bytes of a text, which may hold halves of characters."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Return the text of bytes that `encode` made, and for others the nearest one."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def make_input(random: Random, seeds: Sequence[bytes], build: Builder | None, *, is_text: bool) -> bytes:
    """Return an input: in ten 4 are of the grammar, 5 changed ones, and 1 is noise; without a grammar changed ones."""
    kind = random.random()
    if kind < 0.1:
        return make_noise(random, is_text=is_text)
    if kind < 0.5 and build is not None:
        return build(random)[:LARGEST]
    base = build(random) if build is not None and (not seeds or random.random() < 0.3) else random.choice(seeds)
    return change_text(random, base, seeds) if is_text else change_bytes(random, base, seeds)


def make_noise(random: Random, *, is_text: bool) -> bytes:
    """Return bytes, or a text, that mean nothing."""
    size = random.choice((0, 1, 2, 5, 10, 50, 300))
    if not is_text:
        return random.randbytes(size)
    return encode("".join(_choose_character(random) for _ in range(size)))


def change_bytes(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return bytes with some changes."""
    for _ in range(random.choice((1, 1, 2, MOST_CHANGES))):
        at = random.randint(0, len(data))
        match random.randrange(9):
            case 0 if data:
                at = random.randrange(len(data))
                data = data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
            case 1:
                data = data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]
            case 2:
                data = data[:at]
            case 3:
                number = random.choice(_NUMBERS) & (2**64 - 1)
                width = random.choice((1, 2, 4, 8))
                data = data[:at] + (number & (256**width - 1)).to_bytes(width, "little") + data[at + width :]
            case 4:
                data = data[:at] + encode_varint(random.choice(_NUMBERS)) + data[at + random.randrange(5) :]
            case 5 if others:
                other = random.choice(others)
                data = data[:at] + other[random.randint(0, len(other)) :]
            case _:
                data = _change_span(random, data, at)
    return data[:LARGEST]


def change_text(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return the bytes of a text with some changes, which is a text."""
    text = decode(data)
    for _ in range(random.choice((1, 1, 2, MOST_CHANGES))):
        at = random.randint(0, len(text))
        match random.randrange(6):
            case 0:
                text = text[:at] + _choose_character(random) + text[at + random.randrange(2) :]
            case 1:
                text = text[:at]
            case 2 if others:
                other = decode(random.choice(others))
                text = text[:at] + other[random.randint(0, len(other)) :]
            case _:
                text = decode(_change_span(random, encode(text), len(encode(text[:at]))))
    return encode(text[: LARGEST // 4])


def _change_span(random: Random, data: bytes, at: int) -> bytes:
    """Return bytes with a part of them left out, repeated or replaced by a word."""
    end = min(len(data), at + random.choice((1, 2, 4, 16, 64)))
    match random.randrange(4):
        case 0:
            return data[:at] + data[end:]
        case 1:
            times = random.choice((2, 2, 3, 10, 100, 1000))
            return (data[:at] + data[at:end] * times + data[end:])[:LARGEST]
        case 2:
            return data[:at] + random.choice(_WORDS) + data[end:]
        case _:
            return data[:at] + random.choice(_WORDS) + data[at:]


def damage(random: Random, data: bytes) -> bytes:
    """Return bytes of which every other time one is another."""
    if random.random() < 0.5 or not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([random.choice((0, 1, 127, 128, 255, data[at] ^ 1))]) + data[at + 1 :]


def encode_varint(number: int) -> bytes:
    """Return a whole number as protobuf, thrift and snappy write it."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _choose_character(random: Random) -> str:
    kind = random.random()
    if kind < 0.7:
        return chr(random.randint(32, 126))
    return random.choice(_CHARACTERS) if kind < 0.9 else chr(random.randrange(0x110000))


def make_value(random: Random, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value by a JSON schema, now and then of another type."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if random.random() < 0.04 or depth > DEEPEST:
        return make_any_value(random)
    if "enum" in schema or "const" in schema:
        return random.choice(schema.get("enum", [schema.get("const")]))
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if branches:
        return make_value(random, random.choice(branches), root, depth + 1)
    kind = schema.get("type")
    if kind == "object":
        return _make_object(random, schema, root, depth)
    if kind == "array":
        items = schema.get("items", {})
        return [make_value(random, items, root, depth + 1) for _ in range(random.choice((0, 1, 1, 2, 3, 12)))]
    if kind in ("integer", "number"):
        return _make_number(random, whole=kind == "integer")
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "string" and random.random() < 0.8:
        return random.choice(_TEXTS)
    return make_any_value(random)


_TEXTS = (
    "a", "h", "D", "15min", "sum", "mean", "bikes", "bikes@1", "bikes/1", "UTC", "Europe/Berlin",
    "2024-01-01T00:00:00Z",
    "2024-01-01", "0 3 * * *", "24h", "7D", "DE", "US-NY", "http://example.org/x", "hidden", "cell", "lstm", "auto",
    "",
    "~.*", "{__name__}/{instance}", "~(", "context_length", "all", "0.5",
)  # fmt: skip
"""texts that fields of bodies have"""


def _make_object(random: Random, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    made = {
        name: make_value(random, field, root, depth + 1)
        for name, field in schema.get("properties", {}).items()
        if random.random() < (0.97 if name in required else 0.3)
    }
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        for _ in range(random.randrange(3)):
            made[random.choice(_TEXTS)] = make_value(random, more, root, depth + 1)
    if random.random() < 0.03:
        made[random.choice(_TEXTS)] = make_any_value(random)
    return made


def _make_number(random: Random, *, whole: bool) -> float:
    if whole or random.random() < 0.3:
        return random.choice((random.randint(-2, 40), random.randint(1, 400), random.choice(_NUMBERS)))
    return random.choice((random.random(), random.uniform(-10, 10), 10.0 ** random.randint(-308, 308), 0.5, -0.0))


def make_any_value(random: Random) -> Any:
    """Return a JSON value of any type."""
    choices: Sequence[Callable[[], Any]] = (
        lambda: None,
        lambda: random.random() < 0.5,
        lambda: random.choice((-1, 1)) * random.choice(_NUMBERS),
        lambda: random.choice((1e308, -1e308, 5e-324, 0.1, float("nan"), float("inf"), 10**400)),
        lambda: random.choice(_TEXTS),
        lambda: decode(make_noise(random, is_text=True)),
        lambda: [random.choice(_NUMBERS) for _ in range(random.randrange(4))],
        lambda: {random.choice(_TEXTS): random.choice(_NUMBERS)},
        lambda: [[[[]]]],
    )
    return random.choice(choices)()


def change_value(random: Random, value: Any) -> Any:
    """Return a JSON value of which one part is another one, or is not there."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        name = random.choice(sorted(value))
        if random.random() < 0.1:
            return {other: part for other, part in value.items() if other != name}
        return value | {name: change_value(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], change_value(random, value[at]), *value[at + random.randrange(2) :]]
    return make_any_value(random)


def write_json(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()
