"""Look-up of models and versions by the names that clients use: `name`, `name@version`, or `name@version.revision`."""

import re
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, FieldError, Invalid, NotFound
from app.scope import Scope
from app.services.jobs.documents import parse_cleaning, parse_selector
from app.services.registry.builtin import BUILTIN, NUMBER, add_rows, build_rows, parse_builtin_name, refuse_reserved
from app.services.series.aggregation import is_readable
from app.services.series.selection import Selector, select_series
from app.storage import jobs, registry, revisions
from app.storage.revisions import VersionRevision
from app.storage.tables import JobRow, ModelRow, SeriesRow, VersionRow

MODEL_NAME = r"[A-Za-z0-9._-]{1,100}"
"""regular expression of a model's name"""

BUILTIN_NAME = rf"{BUILTIN}:[A-Za-z0-9-]{{1,20}}"
"""regular expression of the built-in model's name for one frequency"""

PINNED_VERSION = rf"{MODEL_NAME}@[1-9][0-9]{{0,8}}"
"""regular expression of `name@version`"""

_NAME = re.compile(MODEL_NAME)

_REFERENCE = re.compile(
    rf"(?P<name>{MODEL_NAME}|{BUILTIN_NAME})(@(?P<version>[0-9]{{1,9}})(\.(?P<revision>[0-9]{{1,9}}))?)?"
)


class VersionPin(NamedTuple):
    """Which version a reference pins, whatever the champion is."""

    version: int
    revision: int | None = None
    """None: the one that serves"""


def is_builtin(session: Session, scope: Scope, name: str) -> bool:
    """Whether a name means the built-in model, and not one of that name which was trained before there was one."""
    return name == BUILTIN and registry.get(session, scope, name) is None


def require_builtin_version(pin: VersionPin | None) -> None:
    """Raise NotFound for another version of the built-in model than its only one."""
    if pin is not None and (pin.version != NUMBER or pin.revision):
        detail = f"the built-in model has version {NUMBER} alone; name it as {BUILTIN}"
        raise NotFound(ErrorCode.version_not_found, detail)


def require_model(session: Session, scope: Scope, name: str, *, lock: bool = False) -> ModelRow:
    """Return a model that must exist; `lock` keeps its other writers out. Raises NotFound, and Conflict for the
    built-in one, which has no row. That for one frequency gets its rows where it is locked; before, they are in memory.
    """
    frequency = parse_builtin_name(name)
    if frequency is not None:
        return add_rows(session, scope, frequency) if lock else _find_rows(session, scope, name, frequency)
    row = registry.get(session, scope, name, lock=lock) if _NAME.fullmatch(name) else None
    if row is None and name == BUILTIN:
        raise refuse_reserved()
    if row is None:
        hint = "GET /models lists them, POST /train makes one"
        training = jobs.find_active_training(session, scope, name) if _NAME.fullmatch(name) else None
        if training is not None:
            hint = f"a training of that name is {training.status}, GET /jobs/{training.id} shows how far it is"
        raise NotFound(ErrorCode.model_not_found, f"there is no model {name[:100]!r}; {hint}")
    return row


def _find_rows(session: Session, scope: Scope, name: str, frequency: str) -> ModelRow:
    return registry.get(session, scope, name) or build_rows(frequency)[0]


def require_version(session: Session, model: ModelRow, number: int) -> VersionRow:
    """Return a version that must exist. Raises NotFound."""
    if model.pk == 0 and number == NUMBER:
        return build_rows(model.freq)[1].row
    row = registry.get_version(session, model, number) if 0 < number < 2**31 else None
    if row is None:
        detail = f"the model {model.name!r} has no version {number}; GET /models/{model.name}/versions lists them"
        raise NotFound(ErrorCode.version_not_found, detail)
    return row


def require_revision(session: Session, model: ModelRow, row: VersionRow, number: int | None) -> VersionRevision:
    """Return a version as one of its revisions, or as the one that serves. Raises NotFound where it has no such, or its
    files are not kept."""
    if number is None:
        return revisions.get_serving(row)
    files = revisions.get_files(session, row, number) if number < 2**31 else None
    if files is None:
        detail = (
            f"version {row.number} of the model {model.name!r} has no revision {number} that can serve; "
            f"GET /models/{model.name}/versions/{row.number} lists them, and 0 is the version as it was trained"
        )
        raise NotFound(ErrorCode.version_not_found, detail)
    return files


def parse_reference(text: str) -> tuple[str, VersionPin | None]:
    """Return the name and what is pinned of `name`, `name@version` or `name@version.revision`. Raises Invalid."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        detail = (
            "a model's name has 1 to 100 letters, digits, '.', '_' or '-'; '@7' after it pins version 7, and '@7.3' "
            "revision 3 of that"
        )
        raise Invalid(
            ErrorCode.invalid_input, detail, errors=[FieldError("body.model", ErrorCode.invalid_input, detail)]
        )
    if not match["version"]:
        return match["name"], None
    return match["name"], VersionPin(int(match["version"]), int(match["revision"]) if match["revision"] else None)


def resolve_version(
    session: Session, scope: Scope, name: str, pin: VersionPin | None
) -> tuple[ModelRow, VersionRevision]:
    """Return the model and the version that is pinned, or its champion.

    Raises NotFound, and Conflict `no_champion`.
    """
    model = require_model(session, scope, name)
    if pin is not None:
        row = require_version(session, model, pin.version)
        return model, require_revision(session, model, row, pin.revision)
    return model, revisions.get_serving(require_champion(session, model))


def require_champion(session: Session, model: ModelRow) -> VersionRow:
    """Return the version of a model that is live. Raises Conflict `no_champion`."""
    if model.champion is None:
        raise no_champion(session, model)
    return require_version(session, model, model.champion)


def no_champion(session: Session, model: ModelRow, instead: str = "") -> Conflict:
    """Return what a model without a live version is refused with; `instead`: what else the caller may send."""
    row = registry.get_serving_version(session, model)
    if row is not None:
        state = f"version {row.number} is not, for this reason: {row.reason}"
        hints = [f"name it as {model.name}@{row.number}", f"PUT /models/{model.name}/champion sets it live"]
    else:
        state, hint = _describe_training(jobs.find_newest(session, model.pk, "train"))
        hints = [hint]
    detail = (
        f"no version of the model {model.name!r} is live: {state}; {', or '.join([*hints, *filter(None, [instead])])}"
    )
    return Conflict(ErrorCode.no_champion, detail)


def select_trained_series(session: Session, scope: Scope, model: ModelRow, row: VersionRow) -> list[SeriesRow]:
    """Return the series that a version's training would be about now: those that its selector names, of its kind."""
    made_by = jobs.get_unscoped(session, row.job_id)
    if made_by is not None and "series" in made_by.request:
        rows = select_series(session, scope, parse_selector(made_by.request))
    else:
        rows = select_series(session, scope, Selector(tuple(row.data_span["series"])))
    cleaning = parse_cleaning(row.config)
    return [one for one in rows if is_readable(one, model.freq, cleaning)]


def _describe_training(job: JobRow | None) -> tuple[str, str]:
    """Return how the newest training of a model without versions stands, and what to do."""
    if job is None:
        return "it has no version", "POST /train makes one"
    if job.status in ("queued", "running"):
        return f"its first training is {job.status}", f"GET /jobs/{job.id} shows how far it is"
    reason = f": {job.error['detail']}" if job.error else ""
    return f"its last training has {job.status}{reason}", "POST /train makes a version"
