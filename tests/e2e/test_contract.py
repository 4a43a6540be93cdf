"""The HTTP contract, held from outside by the program that lies beside the checkout, where it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import Service

CONTRACT = Path(__file__).parents[2].parent / "shared" / "acceptance" / "contract.py"


@pytest.mark.skipif(not CONTRACT.exists(), reason="../shared/acceptance/contract.py is not here")
def test_every_check_holds(service: Service) -> None:
    url = service.serve()
    service.worker("worker")
    command = [sys.executable, str(CONTRACT), url, "--part", "jobs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
