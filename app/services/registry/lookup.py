"""Look-up of models and versions by the names that clients use: `name`, or `name@version`."""

import re

from sqlalchemy.orm import Session

from app.errors import Conflict, ErrorCode, FieldError, Invalid, NotFound
from app.scope import Scope
from app.storage import registry
from app.storage.tables import ModelRow, VersionRow

MODEL_NAME = r"[A-Za-z0-9._-]{1,100}"
"""regular expression of a model's name"""

PINNED_VERSION = rf"{MODEL_NAME}@[1-9][0-9]{{0,8}}"
"""regular expression of `name@version`"""

_NAME = re.compile(MODEL_NAME)

_REFERENCE = re.compile(rf"(?P<name>{MODEL_NAME})(@(?P<version>[0-9]{{1,9}}))?")


def require_model(session: Session, scope: Scope, name: str, *, lock: bool = False) -> ModelRow:
    """Return a model that must exist; `lock` keeps its other writers out. Raises NotFound."""
    row = registry.get(session, scope, name, lock=lock) if _NAME.fullmatch(name) else None
    if row is None:
        raise NotFound(
            ErrorCode.model_not_found,
            f"there is no model {name[:100]!r}; GET /models lists them, POST /train makes one",
        )
    return row


def require_version(session: Session, model: ModelRow, number: int) -> VersionRow:
    """Return a version that must exist. Raises NotFound."""
    row = registry.get_version(session, model, number) if 0 < number < 2**31 else None
    if row is None:
        detail = f"the model {model.name!r} has no version {number}; GET /models/{model.name}/versions lists them"
        raise NotFound(ErrorCode.version_not_found, detail)
    return row


def parse_reference(text: str) -> tuple[str, int | None]:
    """Return name and version of `name` or `name@version`. Raises Invalid."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        detail = "a model's name has 1 to 100 letters, digits, '.', '_' or '-'; '@7' after it pins version 7"
        raise Invalid(
            ErrorCode.invalid_input, detail, errors=[FieldError("body.model", ErrorCode.invalid_input, detail)]
        )
    return match["name"], int(match["version"]) if match["version"] else None


def resolve_version(session: Session, scope: Scope, name: str, number: int | None) -> tuple[ModelRow, VersionRow]:
    """Return the model and its version of this number, or its champion.

    Raises NotFound, and Conflict `no_champion`.
    """
    model = require_model(session, scope, name)
    if number is not None:
        return model, require_version(session, model, number)
    if model.champion is None:
        raise _no_champion(model)
    return model, require_version(session, model, model.champion)


def _no_champion(model: ModelRow) -> Conflict:
    if model.last_version:
        hint = f"name one of its versions, such as {model.name}@{model.last_version}"
    else:
        hint = "its first training has not ended yet; GET /jobs shows how far it is"
    return Conflict(ErrorCode.no_champion, f"no version of the model {model.name!r} is live: {hint}")
