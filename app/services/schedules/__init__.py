"""Schedules: retraining and archiving at fixed times. Begin with `service`."""
