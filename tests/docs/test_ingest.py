"""The rules on docs/ingest.md are rules, and what it says of fields and defaults is so."""

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.api.schemas.rules import RuleIn

PAGE = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text()


@pytest.mark.one_database
def test_every_rule_of_the_page_is_one(client: TestClient) -> None:
    inside = re.findall(r"-d '(\{.*?\})'", PAGE, re.S) + re.findall(r"```json\n(\{.*?\})\n```", PAGE, re.S)
    assert len(inside) == 3
    for number, text in enumerate(inside):
        answer = client.put(f"/ingest/rules/r{number}", json=json.loads(text))
        assert answer.status_code == 201, answer.text


def test_the_table_names_every_field_and_its_default() -> None:
    section = PAGE.partition("## A rule")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    told = {row[0].strip("`"): row[2].strip("`") for row in rows}
    fields = RuleIn.model_fields
    assert set(told) == set(fields)
    for name, field in fields.items():
        if field.is_required():
            assert told[name] == "", name
        elif field.default is not None:
            assert told[name] == str(field.default).lower().replace("utc", "UTC"), name
