"""Alerts: rules on what is known, their states, and messages to receivers. Begin with `service`."""
