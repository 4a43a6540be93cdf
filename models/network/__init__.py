"""The LSTM network in torch, from observed values to quantiles.

Begin with `network`. It imports nothing of `models.training`, whose closed forms set what no gradient moves.
"""
