"""Forecasts without a network: linear maps of the context, and statistical models.

Imports no torch. Begin with `linear_maps`.
"""
