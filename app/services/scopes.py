"""Who asks, and what can be stored, for the layers above: they may not reach into storage."""

from app.storage.pages import storable
from app.storage.scope import Right, Scope

__all__ = ["Right", "Scope", "storable"]
