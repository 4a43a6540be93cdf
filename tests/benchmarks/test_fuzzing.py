"""Every parser takes some hundred inputs of fuzzing; what crashes, hangs or takes memory without bound is told."""

import base64
import os
import signal

import pytest

from benchmarks import fuzzing_run
from benchmarks.fuzzing import TARGETS, run_apart
from benchmarks.fuzzing_guided import COVERED
from benchmarks.fuzzing_run import MOST_CRASHES, Outcome, Target, always, list_inputs, run_target

FEW = 100
SLOW = {"weights": 30, "signed links": 50, "CSV": 60}
"""parsers of which a hundred inputs take more than half a second"""
MANY = 10_000
QUICK = (
    "moments", "durations", "query filters", "templates of ids", "cursors", "cookies", "headers", "forwarded addresses",
    "names of models", "request bodies", "remote write, blocks", "remote write 1.0", "remote write 2.0", "forms",
    "line protocol", "manifests",
)  # fmt: skip
"""parsers of which MANY inputs take seconds"""


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_too_much(name: str) -> None:
    outcome = run_target(TARGETS[name], SLOW.get(name, FEW))
    assert outcome.crashes == []
    assert outcome.accepted + outcome.refused == SLOW.get(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_none_of_ten_thousand_is(name: str) -> None:
    outcome = run_apart(TARGETS[name], MANY)
    assert outcome.crashes == []
    assert outcome.inputs == MANY


def test_the_binary_parsers_are_guided_by_coverage() -> None:
    assert set(COVERED) < {name for name, target in TARGETS.items() if not target.is_text}


def test_an_input_has_a_number_and_is_the_same_in_every_run() -> None:
    first = list(list_inputs(TARGETS["NDJSON"], 0, 60))
    assert list(list_inputs(TARGETS["NDJSON"], 40, 60)) == first[40:]
    assert len({data for _, data in first}) > 50


def make_target(behaviour: str) -> Target:
    """Return a target that does something to its third input alone."""
    seeds = [b"a", b"b", b"c", b"d"]
    kept: list[bytes] = []
    is_warm = False

    def parse(data: bytes) -> None:
        nonlocal is_warm
        if data == b"d":
            is_warm = True
        if data != b"c" or not is_warm:
            return
        if behaviour == "raise":
            raise LookupError("none")
        if behaviour == "hang":
            while True:
                pass
        if behaviour == "take":
            kept.append(os.urandom(1) * 50_000_000)
        if behaviour == "end":
            os.kill(os.getpid(), signal.SIGKILL)

    return Target(behaviour, always(parse), lambda: seeds, (ValueError,), most_mb=20)


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("raise", "LookupError: none (tests"), ("hang", "Hang: "), ("take", "it takes 50 MB, 20")]
)
def test_what_crashes_is_told_with_its_input(behaviour: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing_run, "SECONDS", 0.05)
    outcome = run_target(make_target(behaviour), 4)
    assert outcome.inputs == 4
    (crash,) = outcome.crashes
    assert crash.reason.startswith(reason)
    assert (crash.number, base64.b64decode(crash.content)) == (2, b"c")


def test_an_input_that_ends_the_process_is_told_and_the_others_go_on() -> None:
    outcome = run_apart(make_target("end"), 4)
    assert [(crash.number, crash.reason) for crash in outcome.crashes] == [(2, "the process ends with -9")]
    assert outcome.inputs == 4


def test_a_parser_that_always_crashes_is_given_up() -> None:
    def parse(data: bytes) -> None:
        raise LookupError

    outcome: Outcome = run_target(Target("always", always(parse), lambda: [b"a"], (ValueError,)), 1000)
    assert outcome.inputs == len(outcome.crashes) == MOST_CRASHES
