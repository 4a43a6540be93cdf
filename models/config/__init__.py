"""Everything that a training is told, as frozen dataclasses that check themselves.

Imports no torch. Begin with `model`.
"""
