"""Reading an exported folder back as a trained model, for users of the library."""

from pathlib import Path

from models.errors import BrokenVersion
from models.export.load import load_weights
from models.inference.published import WEIGHTS, Published
from models.training.fitted import Fitted
from models.training.report import TrainingReport

NO_REPORT = TrainingReport(
    loss_curve={},
    metrics={},
    selected_steps=0,
    epochs_trained=0,
    gate=None,
    seconds=0.0,
    windows_per_second=0.0,
)
"""Report of a model that was loaded: a folder holds the network, not the course of its training"""


def load(folder: Path | str) -> Fitted:
    """Return the trained model that `export` wrote into `folder`; it predicts the same as the one that was exported.

    Every file is compared with its digest in the manifest. The model's report is empty, because a folder holds none.

    Raises BrokenVersion for a folder that is incomplete, damaged or of another format.
    """
    path = Path(folder)
    published = Published(None, lambda name: _read_file(path / name))
    for name in published.digests:
        if name != WEIGHTS:  # read below
            published.read(name)
    network = load_weights(published.read(WEIGHTS))
    return Fitted(network.config, network, NO_REPORT)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise BrokenVersion(f"{path} cannot be read ({e.strerror})") from e
