"""The trials of a job's hyperparameter search, stored as events of the job."""

from typing import Any

from sqlalchemy.orm import Session

from app.storage import jobs

STARTED = "search"
"""kind of event: a search began, or began afresh"""
TRIAL = "trial"
"""kind of event: a trial of the search ended"""
ENDED = "search_ended"
"""kind of event: the best trial was chosen"""
FIELDS = ("number", "state", "params", "reason", "loss", "epochs", "curve", "seconds")
"""of a trial, as clients see it"""


def load_trials(session: Session, job_id: str) -> list[dict[str, Any]] | None:
    """Return the ended trials of the job's search, the last record of each number; None before a search."""
    events = jobs.list_events(session, job_id, (STARTED, TRIAL))
    starts = [index for index, event in enumerate(events) if event.kind == STARTED]
    if not starts:
        return None
    return list({event.data["number"]: event.data for event in events[starts[-1] + 1 :]}.values())


def is_search_over(session: Session, job_id: str) -> bool:
    """Say whether the job's search has chosen its best trial."""
    return bool(jobs.list_events(session, job_id, (ENDED,)))


def describe_trials(ended: list[dict[str, Any]], running: dict[str, Any] | None) -> dict[str, Any]:
    """Return trials as clients see them, by number."""
    last = {trial["number"]: trial for trial in [*ended, *([running] if running else [])]}
    trials = [{name: trial[name] for name in FIELDS} for _, trial in sorted(last.items())]
    complete = [trial for trial in trials if trial["state"] == "complete"]
    best = min(complete, key=lambda trial: float(trial["loss"]))["number"] if complete else None
    return {"trials": trials, "best": best}
