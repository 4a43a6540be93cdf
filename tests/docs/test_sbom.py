"""What an installation is made of, as two files say: they are those of the environment that the tests run in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINNED = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES) if version}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other releases of Python need other packages")
@pytest.mark.slow
def test_both_are_what_would_be_written_now(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "docs.sbom", "--folder", tmp_path], check=True, cwd=ROOT)
    for name in ("sbom.cdx.json", "licences.md"):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text(), "make sbom"


def test_the_bill_is_valid_and_names_pinned_versions_alone() -> None:
    text = (ROOT / "docs" / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    versions = {canonicalize_name(one["name"]): one["version"] for one in bill["components"]}
    assert versions["torch"] == "2.13.0"
    wrong = {name for name, version in versions.items() if name != "torch" and PINNED.get(name) != version}
    assert wrong == set()
    assert not {"pytest", "ruff", "schemathesis", "pytest-iam"}.intersection(versions)
    refs = {one["bom-ref"] for one in bill["components"]}
    assert {ref for one in bill["dependencies"] for ref in one["dependsOn"]} <= refs


def test_licences_are_named_and_none_reaches_further_than_ours() -> None:
    """Those of the GNU family that stand there are of libraries, which are used as they come."""
    bill = json.loads((ROOT / "docs" / "sbom.cdx.json").read_text())
    unnamed = [one["name"] for one in bill["components"] if not one["licenses"]]
    assert unnamed == ["promql-parser", "protobuf"]
    told = {one["name"]: json.dumps(one["licenses"]) for one in bill["components"]}
    assert sorted(name for name, text in told.items() if "GPL" in text) == ["psycopg", "psycopg-binary"]
    assert all("LGPL" in told[name] for name in ("psycopg", "psycopg-binary"))
