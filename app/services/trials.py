"""The trials of a job's hyperparameter search, kept as events of the job."""

from typing import Any

from sqlalchemy.orm import Session

from app.storage import jobs

STARTED, TRIAL, ENDED = "search", "trial", "search_ended"
"""kinds of events: a search began (afresh), one of its trials has ended, and the best was chosen"""
FIELDS = ("number", "state", "params", "reason", "loss", "epochs", "curve", "seconds")
"""of a trial that clients see"""


def told(session: Session, job_id: str) -> list[dict[str, Any]] | None:
    """Return the finished trials of the job's search, by number; None where none has begun."""
    events = jobs.events(session, job_id, (STARTED, TRIAL))
    starts = [at for at, event in enumerate(events) if event.kind == STARTED]
    return [event.data for event in events[starts[-1] + 1 :]] if starts else None


def is_over(session: Session, job_id: str) -> bool:
    """Return whether the job's search has chosen its best."""
    return bool(jobs.events(session, job_id, (ENDED,)))


def view(finished: list[dict[str, Any]], running: dict[str, Any] | None) -> dict[str, Any]:
    """Return trials as clients see them."""
    trials = [{name: one[name] for name in FIELDS} for one in [*finished, *([running] if running else [])]]
    complete = [one for one in trials if one["state"] == "complete"]
    best = min(complete, key=lambda one: float(one["loss"]))["number"] if complete else None
    return {"trials": trials, "best": best}
