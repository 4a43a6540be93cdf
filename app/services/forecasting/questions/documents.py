"""Answers about whole futures as a document, or where forecasts are all that is asked for as a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from app.formats.forms import Form
from app.services.forecasting.inputs.questions import Questions
from app.services.forecasting.inputs.request import ForecastShape
from app.services.forecasting.inputs.served_version import ServedVersion
from app.services.forecasting.outputs import writers
from app.services.forecasting.outputs.results import RefusedResult, Result, to_document
from app.services.forecasting.questions.futures import SeriesFuture
from models.arrays import Floats
from models.config.model import Config

ASSUMED = "assumed_dependence"
"""warning: too few earlier forecasts say how the steps err together, so that it is assumed"""


class Answer:
    """The forecasts of one set of known-future covariates, and what was asked about them."""

    def __init__(self, scenario: str | None, refused: Sequence[RefusedResult]) -> None:
        self.scenario = scenario
        """None: that of the request's own covariates"""
        self._results: dict[str, Result] = {one.series_id: one for one in refused}
        self.aggregates: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []

    def add_forecasts(
        self,
        futures: Sequence[SeriesFuture],
        config: Config,
        shape: ForecastShape,
        questions: Questions,
        paths: Sequence[Floats] | None = None,
    ) -> None:
        """Add forecasts at the levels that are asked for, with their paths (n, H) where those are."""
        for row, one in enumerate(futures):
            result = one.select(config, shape)
            result.answers = {"extrapolated": shape.horizon > config.horizon}
            if paths is not None and questions.paths:
                result.answers["paths"] = np.ascontiguousarray(paths[row][: questions.paths])
            if one.is_assumed and (paths is not None or shape.horizon > config.horizon):
                result.warnings = [*result.warnings, ASSUMED]
            self._results[one.series_id] = result

    def list_results(self, ids: Sequence[str]) -> list[Result]:
        """Return the result of each series."""
        return [self._results[i] for i in ids]


def write_answers(
    form: Form, version: ServedVersion, shape: ForecastShape, ids: Sequence[str], answers: Sequence[Answer]
) -> bytes:
    """Return a response: the first answer is that of the request's own covariates, the others are scenarios."""
    first, *scenarios = answers
    if form is not Form.json:
        return writers.write_all(form, version, shape, first.list_results(ids))
    document = writers.describe_response(version, _describe(first, ids, shape))
    for field in ("aggregates", "groups"):
        items = [{"scenario": one.scenario, **item} for one in answers for item in getattr(one, field)]
        if items:
            document[field] = items
    if scenarios:
        names = {one.scenario or "": _describe(one, ids, shape) for one in scenarios}
        document["scenarios"] = names
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _describe(answer: Answer, ids: Sequence[str], shape: ForecastShape) -> list[dict[str, Any]]:
    return [to_document(result, shape) for result in answer.list_results(ids)]
