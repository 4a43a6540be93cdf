"""Requests for a training: their checks, and the version that a training starts from. Begin with `service`."""
