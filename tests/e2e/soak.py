"""A long mixed load on one API process or more: no wrong answer, no leak, no error but the announced 503.

python -m tests.e2e.soak [--minutes 10] [--processes 2] [--database sqlite]
"""

import argparse
import contextlib
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from app.config import Settings
from app.storage.engine import Database
from tests.e2e.caller import Caller
from tests.e2e.processes import Service
from tests.e2e.servers import server
from tests.e2e.soak_actors import Actor, Publisher, Writer
from tests.e2e.soak_readers import Reader
from tests.e2e.soak_world import Kind, World, offers
from tests.trained import HORIZON, Trained, altered, train

PAIRS, WRITERS, READERS = 12, 2, 5
MOST_FAILURES = 20
LOOK_SECONDS = 1.0
SMALL = {
    "GATECAST_MODEL_CACHE_BYTES": "10000000",
    "GATECAST_CONTEXT_CACHE_BYTES": "2000000",
    "GATECAST_RENDERED_CACHE_BYTES": "2000000",
    "GATECAST_REPLAY_WINDOWS": "0",
}
"""caches are full soon, so that they drop what they hold, and what still grows is a leak; what is forecast is compared
with graphs alone, which replay nothing"""
WARM, COMPARED = 0.5, 0.2
"""share of the time before leaks are looked for; shares at both ends of the rest that are compared"""
SHOWN = 10
"""samples of each process that are printed"""
GROWTH = {"rss_mb": 30.0, "threads": 8.0, "files": 16.0}
"""that is no leak: allocators and caches settle, connections come and go"""

Sample = dict[str, float]


@dataclass
class Soak:
    """Works on a service for a while."""

    service: Service
    world: World
    publisher: Publisher
    urls: list[str]
    said: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @staticmethod
    def started(service: Service, networks: dict[Kind, Trained], processes: int) -> "Soak":
        """Start the processes, and store the series and the model that the world begins with."""
        world = World.of(networks["trained"], networks["other"], PAIRS)
        settings = Settings(
            data_dir=Path(service.environment["GATECAST_DATA_DIR"]),
            database_url=service.environment["GATECAST_DATABASE_URL"],
        )
        urls = [service.serve(f"api{i}") for i in range(processes)]
        publisher = Publisher(world, Database(settings.database), settings, networks, random.Random(1))
        with Caller(urls) as caller:
            for group in world.groups:
                for series_id in group.ids:
                    labels = {"pair": str(group.number)}
                    service.call("PUT", f"/series/{series_id}", {"freq": "h", "labels": labels})
                left, right = group.states.now
                assert left is not None
                assert right is not None
                Writer(world, [group], random.Random(0)).both(caller, group, (left, right), "stored")
            for _ in range(3):
                publisher.make(caller)
            publisher.promote(caller)
            world.offers |= offers(caller, urls[0], world.groups[0])
        return Soak(service, world, publisher, urls)

    def run(self, seconds: float) -> None:
        """Work for so long, then look whether every process tells the final state."""
        writers = [
            Writer(self.world, self.world.groups[i::WRITERS], random.Random(f"writer {i}")) for i in range(WRITERS)
        ]
        readers = [Reader(self.world, random.Random(f"reader {i}")) for i in range(READERS)]
        actors: list[Actor] = [*writers, *readers, self.publisher]
        threads = [threading.Thread(target=self._work, args=(one,)) for one in actors]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + seconds
        while not self._over.wait(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic()))):
            self._look()
            if time.monotonic() >= deadline:
                break
        self._over.set()
        for thread in threads:
            thread.join()
        for actor in actors:
            self.said += actor.said
        self.publisher.database.dispose()
        self._settled()

    def leaks(self) -> list[str]:
        """Return what grew in a process by more than it may, from the end of the warm-up to the end."""
        found = []
        for name, samples in self.samples.items():
            rest = samples[int(WARM * len(samples)) :]
            part = max(1, int(COMPARED * len(rest)))
            for what, allowed in GROWTH.items():
                first, last = (median(one[what] for one in ends) for ends in (rest[:part], rest[-part:]))
                if last - first > allowed:
                    found.append(f"{name}: {what} grew from {first:.0f} to {last:.0f}")
        return found

    def _work(self, actor: Actor) -> None:
        with Caller(self.urls) as caller:
            while not self._over.wait(actor.pause):
                try:
                    actor.step(caller)
                except Exception as e:  # told at the end; a writer does not know any more what is stored
                    self.failures.append(f"{type(actor).__name__}: {e or repr(e)}")
                    if len(self.failures) >= MOST_FAILURES or not isinstance(actor, Reader):
                        self._over.set()

    def _look(self) -> None:
        for i in range(len(self.urls)):
            process = psutil.Process(self.service.process(f"api{i}").pid)
            with process.oneshot():
                sample = {
                    "rss_mb": process.memory_info().rss / 1e6,
                    "threads": float(process.num_threads()),
                    "files": float(process.num_fds()),
                }
            self.samples.setdefault(f"api{i}", []).append(sample)

    def _settled(self) -> None:
        """Forecast everything through every process, now that nothing changes any more."""
        with Caller(self.urls) as caller:
            for url in self.urls:
                for group in self.world.groups:
                    body = {"model": "m", "series": list(group.ids), "horizon": HORIZON}
                    reply = caller.ask(url, "POST", "/forecast", body)
                    try:
                        self.world.judge("m", [(group, 0), (group, 1)], HORIZON, reply)
                    except AssertionError as e:
                        self.failures.append(f"in the end: {e}")
        logs = "".join(self.service.log(f"api{i}") for i in range(len(self.urls)))
        if "Traceback" in logs:
            self.failures.append("a log holds a traceback: " + logs[logs.index("Traceback") :][:1000])


@contextmanager
def running(database: str, folder: Path) -> Iterator[Service]:
    """Yield a service on a new database; nothing is started yet."""
    with contextlib.ExitStack() as stack:
        if database == "sqlite":
            service = Service(folder, f"sqlite:///{folder / 'gatecast.db'}", **SMALL)
            assert service.start("migrate", "migrate").wait(60) == 0
        else:
            service = Service(folder, stack.enter_context(server()).database(), **SMALL)
        stack.callback(service.stop)
        yield service


def main() -> None:
    """Run the soak, print what was done, and end with 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, as by Ctrl-C
    with tempfile.TemporaryDirectory() as folder, running(options.database, Path(folder)) as service:
        trained = train(Path(folder) / "trained")
        networks: dict[Kind, Trained] = {"trained": trained, "other": altered(trained, Path(folder) / "other")}
        soak = Soak.started(service, networks, options.processes)
        print(f"the service offers {', '.join(sorted(soak.world.offers)) or 'nothing that is new'}", flush=True)
        soak.run(60 * options.minutes)
    failures = soak.failures + soak.leaks()
    for line in failures:
        print(line, file=sys.stderr)
    ends = {name: found[:: max(1, len(found) // SHOWN)] for name, found in soak.samples.items()}
    told = {"minutes": options.minutes, "processes": options.processes, "database": options.database, **soak.said}
    print(json.dumps({"soak": told, "samples": ends, "offers": sorted(soak.world.offers), "failures": len(failures)}))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
