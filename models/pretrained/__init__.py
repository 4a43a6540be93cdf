"""The pretrained network as it is shipped: its weights and graph, and what it is told of a context. No torch.

Begin with `periods`.
"""
