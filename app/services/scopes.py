"""Who asks, and what can be stored, for the layers above: they may not reach into storage."""

from app.scope import Right, Scope
from app.storage.pages import storable

__all__ = ["Right", "Scope", "storable"]
