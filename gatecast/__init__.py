"""Gatecast as a library: everything that a user of the engine or of a running service needs, from one import.

Names are imported when they are first used, so `import gatecast` costs nothing, and whoever only reads series, judges
values or calls a service never loads torch. Imports nothing but `models` and `gatecast_client`. docs/library.md shows
each name by example.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatecast_client.client import Client
    from models.anomaly.detect import detect_anomalies
    from models.config.model import Config
    from models.data.series import Panel, Series
    from models.experiments.backtest import backtest
    from models.experiments.search import search
    from models.explain.explain import explain
    from models.export.export import export
    from models.export.load_fitted import load
    from models.planning.defaults import default_config
    from models.training.fit import fine_tune, fit

__all__ = [
    "Client",
    "Config",
    "Panel",
    "Series",
    "backtest",
    "default_config",
    "detect_anomalies",
    "explain",
    "export",
    "fine_tune",
    "fit",
    "load",
    "search",
]

_SOURCES = {
    "Client": ("gatecast_client.client", "Client"),
    "Config": ("models.config.model", "Config"),
    "Panel": ("models.data.series", "Panel"),
    "Series": ("models.data.series", "Series"),
    "backtest": ("models.experiments.backtest", "backtest"),
    "default_config": ("models.planning.defaults", "default_config"),
    "detect_anomalies": ("models.anomaly.detect", "detect_anomalies"),
    "explain": ("models.explain.explain", "explain"),
    "export": ("models.export.export", "export"),
    "fine_tune": ("models.training.fit", "fine_tune"),
    "fit": ("models.training.fit", "fit"),
    "load": ("models.export.load_fitted", "load"),
    "search": ("models.experiments.search", "search"),
}
"""Public name -> module and attribute; the imports for type checkers above name the same."""


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one that is made here

    def __getattr__(name: str) -> object:
        """Import a public name, once (PEP 562). Raises AttributeError for any other."""
        if name not in _SOURCES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _SOURCES[name]
        value = getattr(import_module(module), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
