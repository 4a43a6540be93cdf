"""Training a network: sampling, the loop, phases, checkpoints. Begin with `fit`."""
