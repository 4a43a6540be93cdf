"""Which models, series and metrics a selector selects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import ErrorCode
from app.scope import Scope, storable
from app.services.jobs.documents import parse_cleaning
from app.services.label_matching import LabelMatcher
from app.services.metrics.names import (
    MODEL,
    NAME,
    OF_A_MODEL,
    PARAMETERS,
    SERIES,
    MetricKind,
    spell_labels,
    spell_metric,
)
from app.services.metrics.promql import MetricSelector
from app.services.metrics.refusing import refuse
from app.services.registry.members import select_members
from app.services.series.aggregation import is_readable
from app.services.series.ids import is_series_id
from app.storage import registry, series
from app.storage.registry import ServingVersion
from app.storage.tables import ModelRow, SeriesRow
from models.config.cleaning import CleaningConfig

ROWS_AT_ONCE = 1000
"""series that are loaded at a time"""
MOST_SCANNED = 100_000
"""series of one model whose labels are compared"""
NARROWER = "narrow it down by model=, series= or a label of the series"


@dataclass(frozen=True)
class SelectedModel:
    """A model with the series and the kinds of metrics of it that are selected."""

    row: ModelRow
    cleaning: CleaningConfig
    kinds: tuple[MetricKind, ...]
    labels: Mapping[str, Mapping[str, str]]
    """{series id: labels as they are spelled}, in the order of ids"""

    def iterate_rows(self, session: Session, scope: Scope) -> Iterator[SeriesRow]:
        """Yield the series that the model reads, and that have a value."""
        every = list(self.labels)
        for start in range(0, len(every), ROWS_AT_ONCE):
            ids = every[start : start + ROWS_AT_ONCE]
            rows = series.get_many(session, scope, ids)
            for row in (rows[i] for i in ids if i in rows):
                if row.last_ts is not None and is_readable(row, self.row.freq, self.cleaning):
                    yield row


def list_models(
    session: Session, scope: Scope, selector: MetricSelector
) -> list[tuple[ModelRow, tuple[MetricKind, ...]]]:
    """Return the models that a selector selects by its matchers of names, with the kinds of their metrics."""
    by_name = [matcher for matcher in selector.matchers if matcher.name == NAME]
    by_model = [matcher for matcher in selector.matchers if matcher.name == MODEL]
    listed = [matcher.values for matcher in by_model if matcher.values is not None]
    wanted = None if not listed else frozenset.intersection(*listed)
    rows = registry.list_all(session, scope, None if wanted is None else [name for name in wanted if storable(name)])
    names = [spell_metric(row.name, kind) for row in rows for kind in MetricKind]
    for matcher in by_name:
        names = list(matcher.select(names))
    chosen = _select_texts(by_model, [row.name for row in rows])
    selected = set(names)
    models = []
    for row in rows:
        kinds = tuple(kind for kind in MetricKind if spell_metric(row.name, kind) in selected)
        if row.name in chosen and kinds:
            models.append((row, kinds))
    return models


def check_names(models: Sequence[tuple[ModelRow, tuple[MetricKind, ...]]]) -> None:
    """Raise Invalid where two models have one metric."""
    owners: dict[str, str] = {}
    for row, kinds in models:
        for kind in OF_A_MODEL:
            if kind in kinds:
                name = spell_metric(row.name, kind)
                other = owners.setdefault(name, row.name)
                if other != row.name:
                    detail = f"{name} is a metric of two models, {other!r} and {row.name!r}; say which by model=…"
                    raise refuse(detail)


def select_models(
    session: Session,
    scope: Scope,
    selector: MetricSelector,
    models: Sequence[tuple[ModelRow, tuple[MetricKind, ...]]],
) -> Iterator[SelectedModel]:
    """Yield the models that have a version, with their series that are selected. Raises Invalid for too many."""
    serving = registry.list_serving_versions(session, [row for row, _ in models])
    matchers = [m for m in selector.matchers if m.name not in (NAME, MODEL, *PARAMETERS)]
    is_named = any(not m.is_regex and not m.is_negative and m.name in (NAME, MODEL) for m in selector.matchers)
    for row, kinds in models:
        if row.pk in serving:
            labels = _select_series(session, scope, row.name, serving[row.pk], matchers, is_named=is_named)
            yield SelectedModel(row, parse_cleaning(serving[row.pk].config), kinds, labels)


def _select_series(
    session: Session,
    scope: Scope,
    model: str,
    version: ServingVersion,
    matchers: Sequence[LabelMatcher],
    *,
    is_named: bool,
) -> dict[str, Mapping[str, str]]:
    """Return {id: labels} of the series of a model that all matchers match.

    A series that is named is answered by a model that `is_named` too, whether it was trained on it or not.
    """
    members = select_members(version.request, version.data_span)
    listed = [m.values for m in matchers if m.name == SERIES and m.values is not None]
    ids = None if members.ids is None else frozenset(members.ids)
    labels = list((members.labels or {}).items())
    if listed:
        named = frozenset.intersection(*listed)
        ids = named if ids is None or is_named else named & ids
        labels = [] if is_named else labels
    equal = [m.value for m in matchers if m.name != SERIES and m.value and not m.is_regex and not m.is_negative]
    if not all(map(storable, equal)):
        return {}
    plain = [value for value in equal if ";" not in value]  # which may be several values, of labels that became one
    ids = None if ids is None else frozenset(i for i in ids if is_series_id(i))
    found = series.list_labels(session, scope, ids, labels, plain, MOST_SCANNED + 1)
    if len(found) > MOST_SCANNED:
        detail = f"the model {model!r} has more than {MOST_SCANNED} such series; {NARROWER}"
        raise refuse(detail, ErrorCode.too_many_series)
    spelled = {series_id: spell_labels(model, series_id, own) for series_id, own in found}
    for matcher in matchers:
        matching = matcher.select(own.get(matcher.name, "") for own in spelled.values())
        spelled = {i: own for i, own in spelled.items() if own.get(matcher.name, "") in matching}
    return dict(spelled)


def _select_texts(matchers: Sequence[LabelMatcher], texts: Sequence[str]) -> frozenset[str]:
    chosen = frozenset(texts)
    for matcher in matchers:
        chosen = matcher.select(chosen)
    return chosen
