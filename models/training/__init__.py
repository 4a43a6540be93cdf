"""Training a network: sampling, the loop, phases, checkpoints.

Begin with `fit`, then `run`. It imports nothing of `models.experiments`, `models.export` and `models.explain`.
"""
