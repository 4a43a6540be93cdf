"""The accuracy of forecasts: `backtests` at past origins, `skill` of archived forecasts."""
