"""What Schemathesis was answered, by operation, from its report."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUCCESS = range(200, 400)
NOT_FOUND = 404


@dataclass
class Tally:
    """The cases of an operation."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """by check"""

    @property
    def cases(self) -> int:
        """How many were answered."""
        return self.statuses.total()

    @property
    def succeeded(self) -> int:
        """How many were answered 2xx, or 304."""
        return sum(count for status, count in self.statuses.items() if status in SUCCESS)

    @property
    def missing(self) -> int:
        """How many were answered 404."""
        return self.statuses[NOT_FOUND]

    @property
    def refused(self) -> int:
        """How many were answered with another 4xx."""
        return sum(count for status, count in self.statuses.items() if 400 <= status < 500) - self.missing


@dataclass
class Report:
    """All cases of a run."""

    operations: dict[str, Tally]
    """by `METHOD /path`, all of the document"""
    phases: Counter[str]
    """cases by phase"""
    examples: list[str]
    """what failed, in a line each: operation, check, status"""
    errors: list[str]
    """what Schemathesis could not generate or send"""
    links: int
    """sequences of calls that a link was followed in"""

    @property
    def cases(self) -> int:
        """How many there were in all."""
        return sum(tally.cases for tally in self.operations.values())

    @property
    def failures(self) -> int:
        """How many checks failed."""
        return sum(tally.failures.total() for tally in self.operations.values())

    @property
    def unreached(self) -> list[str]:
        """Operations that were never answered 2xx."""
        return [label for label, tally in self.operations.items() if not tally.succeeded]


def read_report(path: Path, document: Mapping[str, Any]) -> Report:
    """Read a report of events, a line of JSON each. Raises ValueError where the run did not end by itself."""
    labels = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    report = Report({label: Tally() for label in labels}, Counter(), [], [], 0)
    ended = False
    with path.open() as lines:
        for line in lines:
            ((kind, event),) = json.loads(line).items()
            if kind == "ScenarioFinished":
                _count(report, event)
            elif kind in ("NonFatalError", "FatalError"):
                report.errors.append(json.dumps(event)[:500])
            ended = ended or kind == "EngineFinished"
    if not ended:
        raise ValueError("the run did not end by itself: its log says why")
    return report


def _count(report: Report, event: Mapping[str, Any]) -> None:
    recorder = event["recorder"]
    for case_id, case in recorder.get("cases", {}).items():
        answer = recorder["interactions"].get(case_id, {}).get("response")
        tally = report.operations.get(f"{case['value']['method']} {case['value']['path']}")
        if answer is None or tally is None:
            continue
        status = int(answer["status_code"])
        tally.statuses[status] += 1
        report.phases[event["phase"]] += 1
        report.links += bool(case.get("is_transition_applied"))
        for check in recorder.get("checks", {}).get(case_id, ()):
            if check["status"] != "success":
                tally.failures[check["name"]] += 1
                report.examples.append(f"{case['value']['method']} {case['value']['path']}: {check['name']}, {status}")


def list_lines(report: Report) -> Iterator[str]:
    """Yield the lines of the table: cases of each operation, and the percentages of what they were answered."""
    yield f"{'operation':48}{'cases':>7}{'2xx %':>7}{'4xx %':>7}{'404 %':>7}{'failed':>8}"
    whole = Tally()
    for label, tally in report.operations.items():
        yield _show(label, tally)
        whole.statuses.update(tally.statuses)
        whole.failures.update(tally.failures)
    yield _show("all", whole)


def _show(label: str, tally: Tally) -> str:
    counts = (tally.succeeded, tally.refused, tally.missing)
    shares = "".join(f"{100 * count / max(tally.cases, 1):7.0f}" for count in counts)
    return f"{label:48}{tally.cases:7}{shares}{tally.failures.total():8}"
