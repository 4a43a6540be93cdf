"""The settings of a model and of its training, as frozen dataclasses that check themselves.

Imports no torch. Begin with `model`.
"""
