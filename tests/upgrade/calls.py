"""Calls with headers, and the comparison of answers."""

import json
import math
import urllib.request
from typing import Any


def post(url: str, path: str, body: object, **headers: str) -> tuple[int, Any]:
    """Return the status and the decoded answer of a POST; `_` in a header's name is written for `-`."""
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status, json.loads(response.read())


def find_differences(then: Any, now: Any, tolerance: float = 0.0, where: str = "$") -> list[str]:
    """Return where an answer differs from what it was; fields that it did not have then are no difference.

    Numbers may differ by `tolerance`, and by that share of them.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        missing = [f"{where}.{name} is gone" for name in then.keys() - now.keys()]
        shared = [find_differences(then[name], now[name], tolerance, f"{where}.{name}") for name in then if name in now]
        return missing + [one for differences in shared for one in differences]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [one for i, (a, b) in pairs for one in find_differences(a, b, tolerance, f"{where}[{i}]")]
    numbers = isinstance(then, float) and isinstance(now, float)
    same = math.isclose(then, now, rel_tol=tolerance, abs_tol=tolerance) if numbers else then == now
    return [] if same else [f"{where} was {then!r}, is {now!r}"]
