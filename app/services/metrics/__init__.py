"""Forecasts and observations as metrics, which the Prometheus query API answers. Begin with `service`."""
