"""The HTTP contract, held from outside by the program that lies beside the checkout, where it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import Service

CONTRACT = Path(__file__).parents[2].parent / "shared" / "acceptance" / "contract.py"
KEY = "gk_a-key-that-the-service-is-started-with"

pytestmark = pytest.mark.skipif(not CONTRACT.exists(), reason="../shared/acceptance/contract.py is not here")


def holds(url: str, *options: str) -> None:
    command = [sys.executable, str(CONTRACT), url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_jobs(service: Service) -> None:
    url = service.serve()
    service.worker("worker", GATECAST_PRELOAD="true")
    holds(url, "--part", "jobs", "--part", "strict", "--part", "data", "--part", "grafana")


@pytest.mark.slow
def test_alerts(service: Service) -> None:
    service.environment |= {"GATECAST_WEBHOOK_PRIVATE": "allow"}
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "alerts")


@pytest.mark.one_database
@pytest.mark.slow
def test_serving_with_a_key(service: Service) -> None:
    file = service.folder / "key"
    file.write_text(KEY)
    service.environment |= {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(file)}
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "serving", "--part", "strict", "--key", KEY)


@pytest.mark.slow
def test_auto(service: Service) -> None:
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "auto")


@pytest.mark.slow
def test_refresh(service: Service) -> None:
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "refresh")


@pytest.mark.slow
def test_questions(service: Service) -> None:
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "questions")


@pytest.mark.slow
def test_rules(service: Service) -> None:
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "rules")


@pytest.mark.slow
def test_rights(service: Service) -> None:
    file = service.folder / "key"
    file.write_text(KEY)
    service.environment |= {"GATECAST_AUTH": "on", "GATECAST_BOOTSTRAP_KEY_FILE": str(file)}
    url = service.serve()
    service.worker("worker")
    holds(url, "--part", "rights", "--key", KEY)
