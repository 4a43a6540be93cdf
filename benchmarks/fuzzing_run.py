"""Feeding a parser with inputs, each with a limit of time and of memory, and what became of them."""

import base64
import contextlib
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from sqlalchemy import make_url

from app.storage import migrate
from app.storage.engine import Database
from benchmarks.fuzzing_inputs import Builder, make_input

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 2.0
"""of the processor that one input may take: more is a hang"""
MB = 1_000_000
MOST_CRASHES = 5
"""of one target that are told; it ends then"""
LONGEST_TOLD = 4000
"""bytes of an input that are told"""
Parse = Callable[[bytes], object]
Opener = Callable[[], AbstractContextManager[Parse]]


def always(parse: Parse) -> Opener:
    """Return what opens a parser that needs nothing around it."""
    return lambda: contextlib.nullcontext(parse)


@contextmanager
def open_database() -> Iterator[Database]:
    """Yield an empty database."""
    with tempfile.TemporaryDirectory(prefix="gatecast-fuzzing-") as folder:
        path = Path(folder) / "fuzzing.db"
        path.write_bytes(_migrate())
        database = Database(make_url(f"sqlite:///{path}"))
        try:
            yield database
        finally:
            database.dispose()


@lru_cache(maxsize=1)
def _migrate() -> bytes:
    """Return the file of an empty database."""
    with tempfile.TemporaryDirectory(prefix="gatecast-fuzzing-") as folder:
        path = Path(folder) / "fuzzing.db"
        database = Database(make_url(f"sqlite:///{path}"))
        migrate.upgrade(database.engine)
        database.dispose()  # its last connection moves everything into the file
        return path.read_bytes()


@dataclass(frozen=True)
class Target:
    """A parser, what it is given, and what it may do."""

    name: str
    open_parser: Opener
    """makes the function under test, which is called often"""
    make_seeds: Callable[[], Sequence[bytes]]
    """valid inputs"""
    refusals: tuple[type[Exception], ...]
    """errors that the parser declares, and its callers translate"""
    build: Builder | None = None
    """makes inputs of a grammar"""
    is_text: bool = True
    most_mb: int = 64
    """memory that one input may take"""


@dataclass(frozen=True)
class Crash:
    """An input that does what none may do."""

    number: int
    reason: str
    content: str
    """the input in base64, cut off where it is very long: the number makes it again"""


@dataclass
class Outcome:
    """What became of the inputs of a target."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    """that one input took at most beside what was there before"""
    crashes: list[Crash] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def parse_each(refusals: tuple[type[Exception], ...], *parts: Callable[[], object]) -> None:
    """Call all of several parsers. Raises the first of their refusals when all have been called."""
    refusal: Exception | None = None
    for part in parts:
        try:
            part()
        except refusals as e:
            refusal = refusal or e
    if refusal is not None:
        raise refusal


class Hang(BaseException):
    """An input takes too long. It is no Exception: no parser is to catch it."""


def list_inputs(target: Target, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (number, input) of a target's inputs: the same number is the same input in every run."""
    seeds = target.make_seeds()
    for number in range(first, end):
        random = Random(f"{target.name} {number}")
        if number < len(seeds):
            yield number, seeds[number]
        else:
            yield number, make_input(random, seeds, target.build, is_text=target.is_text)


def run_target(
    target: Target, inputs: int, first: int = 0, tell: Callable[[int, bytes], None] | None = None
) -> Outcome:
    """Feed a target; `tell` is called with each input before it is parsed.

    It ends early where MOST_CRASHES inputs have crashed.
    """
    with target.open_parser() as parse:
        return _feed(target, parse, inputs, first, tell)


def _feed(target: Target, parse: Parse, inputs: int, first: int, tell: Callable[[int, bytes], None] | None) -> Outcome:
    for seed in target.make_seeds():  # what is imported or built once is no input's own time or memory
        with contextlib.suppress(Exception):  # it is told when its turn comes
            parse(seed)
    outcome = Outcome()
    for number, data in list_inputs(target, first, inputs):
        if tell is not None:
            tell(number, data)
        outcome.inputs += 1
        _run_one(target, parse, data, number, outcome)
        if len(outcome.crashes) >= MOST_CRASHES:
            break
    return outcome


def _run_one(target: Target, parse: Parse, data: bytes, number: int, outcome: Outcome) -> None:
    before = _begin_peak()
    started = time.perf_counter()
    reason = None
    try:
        with _limit_time():
            parse(data)
        outcome.accepted += 1
    except target.refusals:
        outcome.refused += 1
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:  # a panic of native code is no Exception
        reason = describe_error(e)
    outcome.slowest_ms = max(outcome.slowest_ms, 1000 * (time.perf_counter() - started))
    peak = (_read_memory("VmHWM") - before) / MB
    outcome.peak_mb = max(outcome.peak_mb, peak)
    if reason is None and peak > target.most_mb:
        reason = f"it takes {peak:.0f} MB, {target.most_mb} are allowed"
    if reason is not None:
        outcome.crashes.append(make_crash(number, reason, data))


def make_crash(number: int, reason: str, data: bytes) -> Crash:
    """Return what is told of an input that crashes."""
    return Crash(number, reason, base64.b64encode(data[:LONGEST_TOLD]).decode())


def describe_error(error: BaseException) -> str:
    """Say what was raised, and where in this repository."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(ROOT)]
    where = f" ({Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error)[:200]}{where}"


@contextmanager
def _limit_time() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"it takes more than {SECONDS} s")

    former = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


def _begin_peak() -> int:
    """Let the kernel measure the peak of memory from now on; return what is used now, in bytes."""
    descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
    try:
        os.write(descriptor, b"5")
    finally:
        os.close(descriptor)
    return _read_memory("VmRSS")


def _read_memory(name: str) -> int:
    """Return a figure of this process's memory in bytes, as Linux tells it."""
    with open("/proc/self/status", "rb") as file:
        status = file.read()
    _, _, rest = status.partition(f"{name}:".encode())
    return int(rest.split(maxsplit=1)[0]) * 1024
