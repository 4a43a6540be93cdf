"""Covariates on the wire."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import Input, Output

Kind = Literal["numeric", "categorical"]
_EXAMPLE: dict[str, Any] = {"name": "temp", "kind": "numeric", "values": 743}


class CovariateIn(Input):
    """What values of a covariate are."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "categorical"}})

    kind: Kind


class CovariateOut(Output):
    """A covariate of the project."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str
    kind: Kind
    values: int = Field(description="values that are stored, of all series; missing ones do not count")
