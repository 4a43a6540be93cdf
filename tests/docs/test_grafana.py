"""The queries and the panel on the page of Grafana can be read."""

import json
import re
from pathlib import Path

from app.services.metrics.names import MetricKind
from app.services.metrics.promql import MetricSelector, parse_query

PAGE = (Path(__file__).parents[2] / "docs" / "grafana.md").read_text()


def test_every_metric_that_the_page_names_is_a_selector() -> None:
    named = re.findall(r"`((?:MODEL:|gatecast_)[a-z_]+(?:{[^`…]*})?)`", PAGE)
    assert {re.split(r"[:{]", name)[1 if name.startswith("MODEL") else 0] for name in named} >= set(MetricKind)
    assert all(isinstance(parse_query(name), MetricSelector) for name in named)


def test_the_panel_and_the_rule_ask_what_is_answered() -> None:
    (panel,) = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    queries = [target["expr"] for target in json.loads(panel)["targets"]]
    queries += re.findall(r"^ +expr: (.+)$", PAGE, flags=re.MULTILINE)
    assert len(queries) == 5
    assert all(isinstance(parse_query(query), MetricSelector) for query in queries)
