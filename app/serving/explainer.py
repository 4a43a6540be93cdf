"""Explanations of forecasts, made in a process of their own: they need torch and seconds, and serving has neither to
spare.

The process starts with the first question, answers one after another, and ends after a while without any. Questions
go to it as safetensors, answers come back as JSON.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors.numpy import load, save

from app.storage.artifacts import ArtifactError, ArtifactStore
from models.checkpoint import CheckpointError, read_header

if TYPE_CHECKING:
    from models.network import Network

UNDER_WAY = 4
"""questions at a time, the one that is being answered included: each holds a thread of the server"""
START_SECONDS = 60.0
IDLE_SECONDS = 300.0
NETWORKS = 4
"""that the process keeps"""
NICENESS = 10


class NotExplained(Exception):
    """The question could not be answered now; the message says why and what to do."""


class TooMuch(NotExplained):
    """The question takes longer than is allowed, and would the next time."""


@dataclass(frozen=True)
class Question:
    """What a version's forecasts of some windows came from."""

    artifact: str
    """folder of the version"""
    digest: str
    """of its manifest"""
    horizon: int
    """steps that are explained"""
    inputs: Mapping[str, NDArray[Any]] = field(repr=False)
    """what the network reads, by name, (B, ...) each"""


class Explainer:
    """Asks the explaining process."""

    def __init__(self, artifacts: str, seconds: float) -> None:
        self._artifacts, self._seconds = artifacts, seconds
        self._places = threading.BoundedSemaphore(UNDER_WAY)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._idle: threading.Timer | None = None

    def explain(self, question: Question) -> list[dict[str, Any]]:
        """Return `models.explain.Explanation.to_dict` of each window. Raises NotExplained, TooMuch."""
        if not self._places.acquire(blocking=False):
            raise NotExplained(f"{UNDER_WAY} explanations are under way already; try again in a few seconds")
        try:
            if not self._lock.acquire(timeout=self._seconds):
                raise NotExplained("other explanations take long; try again in a few seconds")
            try:
                return self._asked(question)
            finally:
                self._lock.release()
        finally:
            self._places.release()

    def close(self) -> None:
        """End the process, whatever it does."""
        child = self._child
        if child is not None:
            child.process.kill()  # whoever waits for it is told at once, and lets go of the lock
        with self._lock:
            self._stop()

    def _asked(self, question: Question) -> list[dict[str, Any]]:
        if self._idle is not None:
            self._idle.cancel()
        try:
            answer = self._answer(question)
        except (EOFError, OSError) as e:
            self._stop()
            raise NotExplained("the explaining process ended; the server's log says why, try again") from e
        self._idle = threading.Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()
        if "error" in answer:
            raise NotExplained(answer["error"])
        found: list[dict[str, Any]] = answer["explanations"]
        return found

    def _answer(self, question: Question) -> dict[str, Any]:
        """Ask the process. Raises TooMuch, EOFError and OSError."""
        pipe = self._started()
        header = {"artifact": question.artifact, "digest": question.digest, "horizon": question.horizon}
        arrays = {name: np.ascontiguousarray(values) for name, values in question.inputs.items()}
        pipe.send_bytes(save(arrays, metadata={"question": json.dumps(header)}))
        if not pipe.poll(self._seconds):
            self._stop()
            raise TooMuch(f"the explanation took more than {self._seconds:g} seconds; ask for fewer series or steps")
        found: dict[str, Any] = orjson.loads(pipe.recv_bytes())
        return found

    def _started(self) -> Connection:
        """Return the pipe to a process that is ready. Raises EOFError and OSError."""
        if self._child is None or not self._child.process.is_alive():
            self._stop()
            self._child = Child.start(self._artifacts)
            if not self._child.pipe.poll(START_SECONDS):
                raise OSError("it did not start")
            self._child.pipe.recv_bytes()
        return self._child.pipe

    def _stop(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._child is not None:
            self._child.stop()
        self._child = None


@dataclass(frozen=True)
class Child:
    """The explaining process, and this end of the pipe to it."""

    process: SpawnProcess
    pipe: Connection

    @staticmethod
    def start(artifacts: str) -> "Child":
        """Start a process, which says something when it is ready. Raises OSError."""
        context = multiprocessing.get_context("spawn")  # a fork would copy the server's threads' locks
        ours, theirs = context.Pipe()
        try:
            process = context.Process(target=serve, args=(theirs, artifacts), daemon=True, name="explainer")
            process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Child(process, ours)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


def serve(pipe: Connection, artifacts: str) -> None:
    """Answer questions until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which then closes the pipe
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    import torch

    import models.explain
    import models.export  # noqa: F401

    torch.set_num_threads(1)
    pipe.send_bytes(b"ready")
    store, networks = ArtifactStore(artifacts), OrderedDict[str, "Network"]()
    while True:
        try:
            question = pipe.recv_bytes()
        except EOFError:
            return
        try:
            found: dict[str, Any] = {"explanations": _answer(question, store, networks)}
        except (ArtifactError, CheckpointError) as e:
            found = {"error": f"the version's weights cannot be read ({e}); check the artifact store"}
        pipe.send_bytes(orjson.dumps(found))


def _end_with_parent() -> None:
    """End this process when the server has died, even in mid-question."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)


def _answer(question: bytes, store: ArtifactStore, networks: "OrderedDict[str, Network]") -> list[dict[str, Any]]:
    from models.explain import explain

    header = json.loads(read_header(question)["question"])
    network = _network(header, store, networks)
    return [one.to_dict() for one in explain(network, load(question), header["horizon"])]


def _network(header: dict[str, Any], store: ArtifactStore, networks: "OrderedDict[str, Network]") -> "Network":
    from models.export import load_published

    digest, artifact = header["digest"], header["artifact"]
    if digest not in networks:
        networks[digest] = load_published(digest, lambda name: store.get(f"{artifact}/{name}"))
        while len(networks) > NETWORKS:
            networks.popitem(last=False)
    networks.move_to_end(digest)
    return networks[digest]
