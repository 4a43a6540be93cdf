"""What an installation of Gatecast is made of: writes docs/sbom.cdx.json (CycloneDX) and docs/licences.md.

    make sbom

It reads the environment that it runs in, and keeps what Gatecast needs when it runs: neither its tests nor its tools.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "gatecast"
CUDA = ("cuda-", "nvidia-", "triton")
"""beginnings of names of what torch brings with CUDA"""
FOLDER = Path(__file__).parent


def build_sbom() -> dict[str, Any]:
    """Return the bill of materials of the environment, less what Gatecast does not need to run."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", sys.prefix, "--output-reproducible", "--sv", "1.6"]
    whole = json.loads(subprocess.run([*command, "-o", "-"], capture_output=True, check=True).stdout)
    components = {canonicalize_name(one["name"]): one for one in whole["components"]}
    needs = {ROOT: _list_direct()}
    waiting = [*needs[ROOT]]
    while waiting:
        one = waiting.pop()
        if one not in needs:
            needs[one] = _list_needs(one, frozenset())
            waiting += needs[one]
    kept = sorted(needs.keys() - {ROOT})
    refs = {one: _make_ref(components[one]) for one in kept} | {ROOT: ROOT}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": ROOT, **_identify(components[ROOT])}},
        "components": [_describe(components[one]) for one in kept],
        "dependencies": [
            {"ref": refs[one], "dependsOn": sorted(refs[other] for other in needs[one])} for one in [ROOT, *kept]
        ],
    }


def _list_direct() -> list[str]:
    """Return what Gatecast names as needed when it runs, and what that needs for the extras that are asked for."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    found: list[str] = []
    for text in project["dependencies"]:
        asked = Requirement(text)
        found += [canonicalize_name(asked.name), *_list_needs(asked.name, frozenset(asked.extras))]
    return sorted(set(found))


def _list_needs(name: str, extras: frozenset[str]) -> list[str]:
    """Return what a package needs on this machine, for its extras too."""
    found: set[str] = set()
    for text in distribution(name).requires or ():
        needed = Requirement(text)
        if canonicalize_name(needed.name).startswith(CUDA):
            continue
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            found.add(canonicalize_name(needed.name))
            if needed.extras:
                found |= set(_list_needs(needed.name, frozenset(needed.extras)))
    return sorted(found)


def _identify(component: dict[str, Any]) -> dict[str, Any]:
    licences = [{"license": {"id": "MIT"}}] if component["name"] == ROOT else _list_licences(component)
    version = component["version"].partition("+")[0]  # torch's builds for CUDA and for the CPU have the same one
    return {"name": component["name"], "version": version, "licenses": licences}


def _list_licences(component: dict[str, Any]) -> list[dict[str, Any]]:
    """Return licences by their SPDX names where a package has them, else as it writes them, without their texts."""
    found: list[dict[str, Any]] = []
    for one in component.get("licenses", []):
        if "expression" in one:
            return [{"expression": one["expression"]}]
        licence = one["license"]
        name = licence.get("name", "").splitlines()[0][:100] if "id" not in licence else ""
        short = {"id": licence["id"]} if "id" in licence else {"name": name.rpartition(" :: ")[2]}
        if {"license": short} not in found:
            found.append({"license": short})
    by_id = [one for one in found if "id" in one["license"]]
    return by_id or found


def _make_ref(component: dict[str, Any]) -> str:
    return f"{component['name']}=={component['version'].partition('+')[0]}"


def _describe(component: dict[str, Any]) -> dict[str, Any]:
    version = component["version"].partition("+")[0]
    return {
        "type": "library",
        "bom-ref": _make_ref(component),
        **_identify(component),
        "purl": f"pkg:pypi/{component['name'].lower()}@{version}",
    }


def write_licences(sbom: dict[str, Any]) -> str:
    """Return the page of the licences, in Markdown."""
    rows = []
    for one in sbom["components"]:
        licences = ", ".join(
            each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in one["licenses"]
        )
        rows.append(f"| {one['name']} | {one['version']} | {licences or 'see its files'} |")
    return "\n".join([
        "# Licences",
        "",
        "Gatecast is under the MIT licence ([LICENSE](../LICENSE)). What it needs when it runs, with the licences that",
        "the packages name; [sbom.cdx.json](sbom.cdx.json) is the same as a bill of materials (CycloneDX 1.6), which",
        "the wheel carries too. The image has one of its own, of what was installed: `/opt/gatecast/sbom.cdx.json`.",
        "With CUDA, torch brings packages of NVIDIA under its terms. `make sbom` writes both files anew.",
        "",
        "| package | version | licence |",
        "| --- | --- | --- |",
        *rows,
        "",
    ])  # fmt: skip


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    sbom = build_sbom()
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom, indent=1) + "\n")
    (folder / "licences.md").write_text(write_licences(sbom))


if __name__ == "__main__":
    main()
