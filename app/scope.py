"""Who asks: every query of tenant-owned rows takes a Scope, so that isolation holds by construction."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Right(StrEnum):
    """What a key may do: its scopes, as clients say. None of them implies another."""

    read = "read"
    """see series, models, jobs and rules"""
    forecast = "forecast"
    """have a model compute: forecasts, charts of them, scans"""
    write = "write"
    """store series and observations, set rules, alerts and watches"""
    train = "train"
    """start and stop jobs, and say which version serves"""
    admin = "admin"
    """make and revoke keys, of the project `default` for every project, and make projects"""


@dataclass(frozen=True)
class Scope:
    """A project, and what the caller may do in it."""

    project_id: int
    rights: frozenset[Right]
    by: str = "service"
    """who that is, as jobs and versions remember it: `key NAME`, `anyone`, `schedule`"""
    key: int | None = None
    """primary key of the bearer key, where one was sent"""
    labels: tuple[tuple[str, str], ...] = ()
    """what the series have that it is about: all of them. Empty: it is about every series"""

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Say whether it is about a series with these labels."""
        return all(labels.get(key) == value for key, value in self.labels)

    @cached_property
    def identity(self) -> str:
        """By what a caller is counted: a secret of a key, its links together, or who it is where there is none."""
        return f"{self.project_id} {self.key} {self.by}"


def storable(text: str) -> bool:
    """Say whether every database can hold a text: Unicode without NUL and lone surrogates."""
    return "\x00" not in text and encodable(text)


def encodable(text: str) -> bool:
    """Say whether a text is Unicode without lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
