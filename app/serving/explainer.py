"""The process that explains forecasts: explanations need torch and take seconds, and serving can spare neither.

Questions go to it as safetensors, answers come back as JSON.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors.numpy import load, save

from app.serving.helper_process import Answerer, HelperProcess, HelperTask, Refused
from app.storage.artifacts import ArtifactError, ArtifactStore
from models.config.model import Config
from models.errors import BrokenVersion
from models.inference.published import read_header

if TYPE_CHECKING:
    from models.network.network import Network

UNDER_WAY = 4
"""questions at a time, waiting ones included"""
NETWORKS = 4
"""networks that the process keeps in memory, those used last"""


class BuiltinQuestion(NamedTuple):
    """What the built-in model's forecasts depend on beside their inputs."""

    config: dict[str, Any]
    """of the version, as plain JSON"""
    periods: list[list[int]]
    """the two season lengths of each window, 0 for none"""


@dataclass(frozen=True)
class Question:
    """A version and the inputs of the forecasts to explain."""

    artifact: str
    """folder of the version"""
    digest: str
    """digest of the version's manifest"""
    horizon: int
    """steps to explain"""
    inputs: Mapping[str, NDArray[Any]] = field(repr=False)
    """inputs of the network by name, (B, ...) each"""
    builtin: BuiltinQuestion | None = None
    """what is asked of the built-in model, which has no artifact"""


class Explainer:
    """Sends questions to the explaining process."""

    def __init__(self, artifacts: str, seconds: float) -> None:
        work = HelperTask("explaining", "explanations", prepare, (artifacts,))
        self.process = HelperProcess(work, seconds, UNDER_WAY)

    def explain(self, question: Question) -> list[dict[str, Any]]:
        """Return `models.explain.explain.Explanation.to_dict` of each window. Raises NotAnswered, TookTooLong."""
        builtin = question.builtin._asdict() if question.builtin is not None else None
        header = {
            "artifact": question.artifact,
            "digest": question.digest,
            "horizon": question.horizon,
            "builtin": builtin,
        }
        arrays = {name: np.ascontiguousarray(values) for name, values in question.inputs.items()}
        explanations: list[dict[str, Any]] = orjson.loads(
            self.process.ask(save(arrays, metadata={"question": json.dumps(header)}))
        )
        return explanations

    def close(self) -> None:
        """Kill the process, even while it works on a question."""
        self.process.close()


def prepare(artifacts: str) -> Answerer:
    """Return the function that explains. Runs in the explaining process."""
    import torch

    import models.explain.explain
    import models.export.load  # noqa: F401

    torch.set_num_threads(1)
    store = ArtifactStore(artifacts)
    networks = OrderedDict[str, "Network"]()

    def answer(question: bytes) -> bytes:
        try:
            return orjson.dumps(_explain(question, store, networks))
        except (ArtifactError, BrokenVersion) as e:
            raise Refused(f"the version's weights cannot be read ({e}); check the artifact store") from e

    return answer


def _explain(question: bytes, store: ArtifactStore, networks: "OrderedDict[str, Network]") -> list[dict[str, Any]]:
    from models.explain.builtin import explain_builtin
    from models.explain.explain import explain

    header = json.loads(read_header(question)["question"])
    if header["builtin"] is not None:
        config = Config.from_dict(header["builtin"]["config"])
        found = explain_builtin(config, header["builtin"]["periods"], load(question), header["horizon"])
        return [explanation.to_dict() for explanation in found]
    network = _load_network(header, store, networks)
    return [explanation.to_dict() for explanation in explain(network, load(question), header["horizon"])]


def _load_network(header: dict[str, Any], store: ArtifactStore, networks: "OrderedDict[str, Network]") -> "Network":
    from models.export.load import load_published

    digest = header["digest"]
    artifact = header["artifact"]
    if digest not in networks:
        networks[digest] = load_published(digest, lambda name: store.get(f"{artifact}/{name}"))
        while len(networks) > NETWORKS:
            networks.popitem(last=False)
    networks.move_to_end(digest)
    return networks[digest]
