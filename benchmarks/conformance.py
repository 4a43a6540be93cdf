"""The API against its own description: Schemathesis over the whole OpenAPI document, with keys on.

python -m benchmarks.conformance [--examples 40] [--seconds 1800] [--seed 1] [--keep DIR]

A service of its own is started, with series, a trained model and everything else that the document's examples name.
Schemathesis then asks it in four phases (examples, coverage, fuzzing, stateful), with a key that may do everything. No
answer may be 5xx, but for 503 where a case sets a deadline; none may have a status, a media type, a header or a body
that the document does not describe; no operation may answer without a key. The table counts what each operation was
asked and answered. The exit status is 1 where a check failed.
"""

import argparse
import json
import platform
import sys
import tempfile
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from benchmarks.conformance_report import list_lines, read_report
from benchmarks.conformance_run import Budget, ask, serve


def main() -> None:
    """Run it and print the table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=40, help="cases of an operation while fuzzing")
    parser.add_argument("--seconds", type=int, default=1800, help="after which Schemathesis ends")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the logs and the report of events, which must not exist")
    args = parser.parse_args()
    if args.keep:
        args.keep.mkdir(parents=True)
    with nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory() as folder:
        with serve(Path(folder)) as (caller, seed):
            document = caller.call("GET", "/openapi.json")
            path, seconds = ask(Path(folder), caller, seed, Budget(args.examples, args.seconds, args.seed))
        report = read_report(path, document)
    print("\n".join(list_lines(report)))
    for line in sorted({*report.examples, *report.errors}):
        print(line)
    summary = {
        "cases": report.cases,
        "failures": report.failures,
        "errors": len(report.errors),
        "phases": dict(report.phases),
        "links_followed": report.links,
        "never_2xx": report.unreached,
        "seconds": round(seconds),
        "seed": args.seed,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("schemathesis", "fastapi", "hypothesis")},
    }
    print(json.dumps(summary))
    sys.exit(report.failures + len(report.errors) > 0)


if __name__ == "__main__":
    main()
