"""Experiments of many trainings: rolling-origin backtests and hyperparameter search. Begin with `backtest`."""
