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

WAITING = 4
"""questions at a time, the one that is being answered included: each holds a thread of the server"""
IDLE_SECONDS = 300.0
NETWORKS = 4
"""that the process keeps"""
NICENESS = 10


class NotExplained(Exception):
    """The question could not be answered now; the message says why and what to do."""


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
        self._places = threading.BoundedSemaphore(WAITING)
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._idle: threading.Timer | None = None

    def explain(self, question: Question) -> list[dict[str, Any]]:
        """Return `models.explain.Explanation.to_dict` of each window. Raises NotExplained."""
        if not self._places.acquire(blocking=False):
            raise NotExplained(f"{WAITING} explanations are being made already; try again in a few seconds")
        try:
            with self._lock:
                return self._asked(question)
        finally:
            self._places.release()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _asked(self, question: Question) -> list[dict[str, Any]]:
        if self._idle is not None:
            self._idle.cancel()
        pipe = self._started()
        header = {"artifact": question.artifact, "digest": question.digest, "horizon": question.horizon}
        arrays = {name: np.ascontiguousarray(values) for name, values in question.inputs.items()}
        try:
            pipe.send_bytes(save(arrays, metadata={"question": json.dumps(header)}))
            if not pipe.poll(self._seconds):
                self._stop()
                detail = f"the explanation took more than {self._seconds:g} seconds; ask for fewer series or steps"
                raise NotExplained(detail)
            answer = orjson.loads(pipe.recv_bytes())
        except (EOFError, OSError) as e:
            self._stop()
            raise NotExplained("the explaining process ended; its log says why, try again") from e
        self._idle = threading.Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()
        if "error" in answer:
            raise NotExplained(answer["error"])
        found: list[dict[str, Any]] = answer["explanations"]
        return found

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._stop()
        context = multiprocessing.get_context("spawn")  # a fork would copy the server's threads' locks
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._artifacts), daemon=True, name="explainer")
        self._process.start()
        theirs.close()
        return self._pipe

    def _stop(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def serve(pipe: Connection, artifacts: str) -> None:
    """Answer questions until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which then closes the pipe
    os.nice(NICENESS)
    import torch

    torch.set_num_threads(1)
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
