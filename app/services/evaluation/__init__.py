"""How good forecasts are: `backtests` at past origins, `skill` of those that have come true."""
