"""What a deployment is made of: image, compose file, wheel, pinned versions, and the page that explains them."""

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from app.config import Settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SETTINGS = {f"GATECAST_{name.upper()}" for name in Settings.model_fields}
PACKAGES = ("app", "gatecast", "models", "migrations")
OF_COMPOSE = {"GATECAST_VERSION", "GATECAST_PUBLISH"}
HEAVY = {"app", "fastapi", "models", "numpy", "pandas", "pydantic", "sqlalchemy", "torch"}
"""what the client must not import"""
OF_THE_CLIENT = {"GATECAST_URL", "GATECAST_KEY"}
# written so that this file does not hold them either
HOSTS = ("pypi" + ".org", "python" + "hosted", "download." + "pytorch", "npm" + "js.", "deb." + "debian")
FORBIDDEN = (*HOSTS, "/wo" + "rk/", str(ROOT))


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(text("docker-compose.yml"))["services"])


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads(text("pyproject.toml"))["project"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def client_wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build_wheel(ROOT / "client", tmp_path_factory.mktemp("client_wheel"))) as opened:
        yield opened


def build_wheel(project: Path, folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=project)
    (file,) = folder.glob("*.whl")
    return file


def files_of(root: Path, *packages: str) -> set[str]:
    paths = [path for package in packages for path in (root / package).rglob("*")]
    return {str(path.relative_to(root)) for path in paths if path.is_file() and "__pycache__" not in path.parts}


def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def final_stage() -> str:
    return re.split(r"^FROM ", text("Dockerfile"), flags=re.MULTILINE)[-1]


def test_the_dockerfile_has_no_known_fault() -> None:
    run(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile")


def test_the_image_runs_the_service_as_nobody_in_particular() -> None:
    instructions = dict(re.findall(r"^(USER|ENTRYPOINT|CMD|VOLUME) (.+)$", final_stage(), flags=re.MULTILINE))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions["USER"])
    assert instructions["ENTRYPOINT"] == '["gatecast"]'
    assert instructions["CMD"] == '["serve"]'
    assert instructions["VOLUME"] == "/data"


def test_the_image_asks_for_keys_and_watches_its_health() -> None:
    stage = final_stage()
    assert "GATECAST_AUTH=on" in stage
    assert "HEALTHCHECK" in stage
    assert "/livez" in stage


def test_the_image_installs_the_pinned_versions() -> None:
    assert "pip install -c constraints.txt" in text("Dockerfile")
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), flags=re.MULTILINE))
    let_in = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert {name for names in copied for name in names.split()} == let_in


def test_the_compose_file_follows_its_schema() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_compose_has_every_part_from_one_image(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "migrate", "api", "worker", "worker-cpu"}
    commands = {name: services[name]["command"] for name in set(services) - {"postgres"}}
    assert commands == {"migrate": ["migrate"], "api": ["serve"], "worker": ["worker"], "worker-cpu": ["worker"]}
    assert len({services[name]["image"] for name in commands}) == 1


def test_compose_waits_for_the_database_and_the_migrations(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker", "worker-cpu"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_compose_gives_the_gpu_to_the_gpu_worker_alone(services: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in services.items()}
    assert profiles == {"postgres": None, "migrate": None, "api": None, "worker": ["gpu"], "worker-cpu": ["cpu"]}
    assert [name for name in services if "deploy" in services[name]] == ["worker"]
    (device,) = services["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_compose_holds_no_password(services: dict[str, Any]) -> None:
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    environment = services["api"]["environment"]
    assert environment["GATECAST_DATABASE_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    assert environment["GATECAST_BOOTSTRAP_KEY_FILE"] == "/run/secrets/gatecast_key"
    assert environment["GATECAST_DATABASE_URL"] == "postgresql://gatecast@postgres:5432/gatecast"
    assert "/secrets/" in text(".gitignore").split()


def test_the_containers_environment_makes_valid_settings(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "password"
    password.write_text("p@ss/word\n")
    image = dict(re.findall(r"(GATECAST_\w+)=(\S+)", final_stage()))
    for name in ("migrate", "api", "worker", "worker-cpu"):
        environment = {**image, **services[name]["environment"], "GATECAST_DATABASE_PASSWORD_FILE": str(password)}
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        settings = Settings()
        assert (settings.auth, settings.host, settings.port) == ("on", "0.0.0.0", 8000)
        assert (settings.database.host, settings.database.password) == ("postgres", "p@ss/word")
        assert settings.artifacts.startswith("file:///data/")


def test_settings_that_are_named_exist_and_are_explained() -> None:
    page = set(re.findall(r"^\| `(GATECAST_\w+)`", text("docs/operations.md"), flags=re.MULTILINE))
    assert page == SETTINGS
    for name in ("Dockerfile", "docker-compose.yml", "docs/operations.md"):
        assert set(re.findall(r"GATECAST_[A-Z_]+", text(name))) <= SETTINGS | OF_COMPOSE | OF_THE_CLIENT, name


def test_the_wheel_holds_the_packages_and_their_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    expected = files_of(ROOT, *PACKAGES) | files_of(ROOT / "client", "gatecast_client")
    expected = {name for name in expected if not name.startswith("app/web/bundles/")}
    assert {name for name in names if ".dist-info/" not in name} == expected
    for name in (
        "app/data/bike_sharing.csv.gz",
        "app/data/README.md",
        "app/web/static/index.html",
        "app/web/static/vendor/README.md",
        "migrations/env.py",
        "migrations/script.py.mako",
        "gatecast/py.typed",
        "gatecast_client/py.typed",
    ):
        assert name in names


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    (name,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "gatecast = app.cli.main:main" in wheel.read(name).decode()


def test_the_client_is_a_distribution_of_its_own(wheel: zipfile.ZipFile, client_wheel: zipfile.ZipFile) -> None:
    names = {name for name in client_wheel.namelist() if ".dist-info/" not in name}
    assert names == files_of(ROOT / "client", "gatecast_client")
    assert {name: client_wheel.read(name) for name in names} == {name: wheel.read(name) for name in names}
    service, client = metadata(wheel), metadata(client_wheel)
    assert (service["Name"], client["Name"]) == ("gatecast", "gatecast-client")
    assert client["Version"] == service["Version"]
    assert client["Requires-Python"] == service["Requires-Python"] == ">=3.11"
    (needed,) = client.get_all("Requires-Dist")
    assert Requirement(needed).name == "httpx2"
    assert needed in service.get_all("Requires-Dist")


def test_the_client_runs_from_its_wheel_alone(client_wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    client_wheel.extractall(tmp_path)
    program = "import sys, gatecast_client; print(gatecast_client.__file__, *sorted(HEAVY & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY!r}\n{program}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "gatecast_client" / "__init__.py")]


def test_every_dependency_is_pinned_by_name(project: dict[str, Any]) -> None:
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    pins = {_normal(name): version for name, _, version in (line.partition("==") for line in lines)}
    wanted = [Requirement(r) for r in project["dependencies"] + project["optional-dependencies"]["dev"]]
    exact = {_normal(r.name): r for r in wanted if any(s.operator == "==" for s in r.specifier)}
    assert set(exact) == {"torch", "dbos"}
    for requirement in wanted:
        if _normal(requirement.name) != "torch":
            assert requirement.specifier.contains(pins[_normal(requirement.name)]), requirement
    for name in pins:
        for needed in map(Requirement, requires(name) or []):
            if needed.marker is None and _normal(needed.name) != "setuptools":
                assert _normal(needed.name) in pins | exact, f"{name} needs {needed.name}"


def test_no_file_names_a_registry_or_this_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked is not known")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    files = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    assert len(files) > 50
    contents = {file: file.read_bytes().decode(errors="replace") for file in files}
    assert [(str(f), word) for f, content in contents.items() for word in FORBIDDEN if word in content] == []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
