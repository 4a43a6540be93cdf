"""The README's tour: `python -m tests.e2e.tour` runs it against http://127.0.0.1:8000 and writes the answers down."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8000"
_STEP = re.compile(
    r"<!-- tour -->\n```sh\n(?P<command>.*?)```\n<!-- output -->\n(```\n(?P<output>.*?)```\n)?", re.DOTALL
)
_MARK = "-- end of step --"


@dataclass(frozen=True)
class Step:
    """A command and what it printed when the page was written."""

    command: str
    output: str


def steps(text: str) -> list[Step]:
    """Return the tour's steps."""
    return [Step(m["command"], m["output"] or "") for m in _STEP.finditer(text)]


def run(found: list[Step], url: str = ADDRESS) -> list[str]:
    """Run the steps in one shell, as a reader would, and return what each printed."""
    script = "".join(f"{s.command.replace(ADDRESS, url)}\nprintf '\\n{_MARK}\\n'\n" for s in found)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=README.parent,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip() for part in done.stdout.split(_MARK)[:-1]]


def written(text: str, outputs: list[str]) -> str:
    """Return the page with new answers."""
    left = iter(outputs)
    return _STEP.sub(
        lambda m: f"<!-- tour -->\n```sh\n{m['command']}```\n<!-- output -->\n```\n{next(left)}\n```\n", text
    )


if __name__ == "__main__":
    page = README.read_text()
    README.write_text(written(page, run(steps(page))))
