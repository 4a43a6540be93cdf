"""Gatecast: a self-hosted forecasting service."""
