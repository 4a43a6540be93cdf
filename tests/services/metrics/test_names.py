"""Names of metrics and labels."""

import pytest

from app.services.metrics.names import MetricKind, spell_label, spell_labels, spell_metric


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("bikes", "bikes:predicted"),
        ("shop-sales.v2", "shop_sales_v2:predicted"),
        ("2nd", "_2nd:predicted"),
        ("-", "_:predicted"),
        ("gatecast", "gatecast:predicted"),
    ],
)
def test_a_metric_is_called_as_its_model(model: str, name: str) -> None:
    assert spell_metric(model, MetricKind.predicted) == name
    assert spell_metric(model, MetricKind.quantile) == "gatecast_quantile"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("city", "city"),
        ("data-center", "data_center"),
        ("1st", "_1st"),
        ("Größe", "Gr__e"),
        ("a:b", "a_b"),
        ("model", "exported_model"),
        ("__name__", "exported___name__"),
        ("ml-forecast", "exported_ml_forecast"),
        ("within", "exported_within"),
    ],
)
def test_a_label_has_a_legal_name(label: str, name: str) -> None:
    assert spell_label(label) == name


def test_labels_that_become_one_are_joined_and_empty_ones_left_out() -> None:
    labels = spell_labels("m", "s", {"a-b": "1", "a.b": "2", "none": "", "series": "x"})
    assert labels == {"model": "m", "series": "s", "a_b": "1;2", "exported_series": "x"}
