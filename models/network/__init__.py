"""The LSTM network in torch, from raw values to quantiles. Begin with `network`."""
