"""Who asks, for the layers above: they may not reach into storage."""

from app.storage.scope import Right, Scope

__all__ = ["Right", "Scope"]
