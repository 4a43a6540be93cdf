"""Trainings around trainings: rolling-origin backtests and hyperparameter search. Begin with `backtest`."""
