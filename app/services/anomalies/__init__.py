"""Anomalies: values that a model did not expect. Begin with `service`."""
