"""Anomalies: values far from their forecasts, scored without labels. Imports no torch. Begin with `detect`."""
