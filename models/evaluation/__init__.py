"""How good forecasts are: metrics, baselines, and live skill. Imports no torch. Begin with `metrics`."""
