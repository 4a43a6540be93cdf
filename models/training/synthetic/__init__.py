"""Series made of random numbers alone, for a network that is pretrained before it sees anybody's data.

Begin with `family`, then any module that has one. Nothing here loads torch.
"""
