"""The forecasting engine of Gatecast, usable as a library and free of any web or SQL code.

Five lines are enough::

    from models import Panel, choose, fit
    panel = Panel.from_arrays({"sales": y}, freq="h", start="2024-01-01")
    config = choose(panel.frequency, horizon=24, quantiles=(0.1, 0.5, 0.9), lengths=[len(y)])
    fitted = fit(panel, config)
    forecasts = fitted.predict(panel)

The names are loaded when they are first used, because whoever only serves must not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.config import Config, NetworkConfig, TrainingConfig, choose
    from models.fit import Fitted, fit
    from models.windows import Panel, Series

_HOME = {
    "Config": "models.config",
    "NetworkConfig": "models.config",
    "TrainingConfig": "models.config",
    "choose": "models.config",
    "Fitted": "models.fit",
    "fit": "models.fit",
    "Panel": "models.windows",
    "Series": "models.windows",
}

__all__ = ["Config", "Fitted", "NetworkConfig", "Panel", "Series", "TrainingConfig", "choose", "fit"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
