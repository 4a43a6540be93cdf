"""Training the pretrained network on series that are made while it goes on.

Begin with `plan`, then `windows`, then `loop`; `models.training.pretrain` is the command.
"""
