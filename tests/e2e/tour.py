"""The README's tour: `python -m tests.e2e.tour` runs it against http://127.0.0.1:8000 and writes the answers down."""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ADDRESS = "http://127.0.0.1:8000"
COMMANDS = f'gatecast() {{ "{sys.executable}" -m app "$@"; }}\n'
"""the command that an installation has"""
_STEP = re.compile(
    r"<!-- tour -->\n```(?P<language>sh|python)\n(?P<command>.*?)```\n<!-- output -->\n(```\n(?P<output>.*?)```\n)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """A command and what it printed when the page was written."""

    language: str
    """`sh` or `python`"""
    command: str
    output: str


def steps(text: str) -> list[Step]:
    """Return the tour's steps."""
    return [Step(m["language"], m["command"], m["output"] or "") for m in _STEP.finditer(text)]


def run(found: Sequence[Step], url: str = ADDRESS) -> list[str]:
    """Run the steps as a reader would, Python in one session, and return what each printed."""
    outputs = []
    session: dict[str, Any] = {}
    # what the tour writes goes to a folder of its own, which shows the checkout's data
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("app").symlink_to(ROOT / "app")
        for step in found:
            command = step.command.replace(ADDRESS, url)
            output = _run_python(command, session) if step.language == "python" else _run_shell(command, url)
            outputs.append(output.strip("\n"))
    session["client"].close()  # a reader's ends with the session
    return outputs


def _run_python(code: str, session: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, README.name, "exec"), session)
    return printed.getvalue()


def _run_shell(command: str, url: str) -> str:
    path = os.pathsep.join([str(ROOT), str(ROOT / "client")])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", COMMANDS + command],
        env={**os.environ, "GATECAST_URL": url, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(text: str, outputs: list[str]) -> str:
    """Return the page with new answers."""
    left = iter(outputs)
    return _STEP.sub(
        lambda m: f"<!-- tour -->\n```{m['language']}\n{m['command']}```\n<!-- output -->\n```\n{next(left)}\n```\n",
        text,
    )


if __name__ == "__main__":
    page = README.read_text()
    README.write_text(written(page, run(steps(page))))
